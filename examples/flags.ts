/**
 * The command line that the examples share: flags in, server options out.
 *
 * Built on `node:util` and `node:process`, so that the same file runs under Deno and Bun. Under Deno
 * it needs `--allow-net`, and `--allow-read` for the certificate.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import type { WebSocketServerOptions } from "../mod.ts";

/** What the flags decide about a server. */
export type FlagOptions = Pick<
  WebSocketServerOptions,
  "transport" | "port" | "hostname" | "tls" | "extensions" | "maxRecvSize" | "allowedOrigins"
>;

/** The flags as read. */
export interface Flags {
  readonly transport: "http" | "tcp";
  readonly hostname: string;
  readonly port: number;
  /** Spread these into the options of `WebSocketServer`. */
  readonly options: FlagOptions;
  /** The values of the program's own flags, where they were given. */
  readonly own: Readonly<Record<string, string | undefined>>;
}

/** What an example says about itself. */
export interface Program {
  /** The file's name, such as `"echo.ts"`. */
  readonly name: string;
  /** One sentence for `--help`. */
  readonly about: string;
  /** The port when `--port` is not given. */
  readonly port: number;
  /** Flags of its own by name, each with what it takes and does. */
  readonly own?: Readonly<Record<string, readonly [takes: string, does: string]>>;
  /** What it needs under Deno beside `--allow-net` and `--allow-read`. */
  readonly permissions?: string;
}

/** The part of a server that the helpers here use; any `WebSocketServer` has it. */
export interface StartableServer {
  readonly port?: number | undefined;
  readonly isSsl: boolean;
  start(): Promise<unknown>;
  shutdown(): Promise<unknown>;
}

/** A flag that cannot be used; the message is meant for the person at the terminal. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

/** The runtime that runs this program. */
export const runtime: "bun" | "deno" | "node" = "Bun" in globalThis
  ? "bun"
  : "Deno" in globalThis
  ? "deno"
  : "node";

/** The text of `--help`. */
export function usage(program: Program): string {
  const { name, about, own = {}, permissions } = program;
  const allow = ["--allow-net --allow-read", permissions ?? []].flat().join(" ");
  const ownFlags = Object.entries(own)
    .map(([flag, [takes, does]]) => `  ${`--${flag} ${takes}`.padEnd(23)}${does}\n`).join("");
  return `${about}

Usage: deno run ${allow} examples/${name} [flags]
       bun run examples/${name} [flags]

${ownFlags}\
  --port N               port to listen on, 0 for any free one (default ${program.port})
  --hostname H           address to listen on (default 127.0.0.1)
  --transport http|tcp   the runtime's own engine, or ours on raw TCP (default http)
  --deflate              offer permessage-deflate
  --max-size BYTES       longest message to accept
  --origin ORIGIN        let only pages of this origin in; can be given more than once
  --cert F --key F       PEM files; serve wss:// instead of ws://
  --help                 show this text`;
}

/**
 * Parses flags without touching the process.
 *
 * @param args The arguments after the program's name.
 * @param program What the example says about itself.
 * @returns The flags, or `"help"` when `--help` is among them.
 * @throws {FlagError} When a flag is unknown or its value cannot be used.
 */
export function parseFlags(args: readonly string[], program: Program): Flags | "help" {
  const values = parse(args, Object.keys(program.own ?? {}));
  if (values.help) return "help";

  const port = values.port === undefined ? program.port : integer("--port", values.port, 0, 65535);
  const hostname = values.hostname ?? "127.0.0.1";
  if (hostname === "") throw new FlagError("--hostname needs an address or a name, not nothing");
  const transport = values.transport ?? "http";
  if (transport !== "http" && transport !== "tcp") {
    throw new FlagError(`--transport must be "http" or "tcp", not "${transport}"`);
  }
  const options: FlagOptions = { transport, hostname, port };
  if (values.deflate) options.extensions = "permessage-deflate";
  if (values["max-size"] !== undefined) {
    options.maxRecvSize = integer("--max-size", values["max-size"], 1, Number.MAX_SAFE_INTEGER);
  }
  if (values.origin !== undefined) options.allowedOrigins = values.origin;
  if (values.cert !== undefined && values.key !== undefined) {
    options.tls = { cert: pem("--cert", values.cert), key: pem("--key", values.key) };
  } else if (values.cert !== undefined || values.key !== undefined) {
    throw new FlagError("--cert and --key go together: give both, or neither");
  }
  const own = Object.fromEntries(
    Object.keys(program.own ?? {}).map((name) => [name, (values as Record<string, string>)[name]]),
  );
  return { transport, hostname, port, options, own };
}

/**
 * Reads the flags of this process. `--help` prints the usage and exits with 0; a bad flag prints
 * what is wrong with it and exits with 2.
 *
 * @example
 * ```ts ignore
 * const flags = readFlags({ name: "echo.ts", about: "Echoes every message.", port: 8080 });
 * await runServer(flags, () => new WebSocketServer({ ...flags.options, onConnect }));
 * ```
 */
export function readFlags(program: Program): Flags {
  try {
    const flags = parseFlags(process.argv.slice(2), program);
    if (flags !== "help") return flags;
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    console.error(`${program.name}: ${error.message}`);
    console.error("Run it with --help to see every flag.");
    process.exit(2);
  }
  console.log(usage(program));
  process.exit(0);
}

/** The URL of a listening server: `ws://HOST:PORT`, or `wss://` with TLS. */
export function serverUrl(
  server: Pick<StartableServer, "port" | "isSsl">,
  flags: Flags,
  scheme: "ws" | "http",
): string {
  const host = flags.hostname.includes(":") ? `[${flags.hostname}]` : flags.hostname;
  return `${scheme}${server.isSsl ? "s" : ""}://${host}:${server.port}`;
}

/** The line that says where a server listens; tests and scripts wait for it. */
export function listeningLine(server: StartableServer, flags: Flags): string {
  return `listening on ${serverUrl(server, flags, "ws")} (${flags.transport}, ${runtime})`;
}

/** Shuts the server down on SIGINT or SIGTERM, then exits with 0. A second signal ends it at once. */
export function stopOnSignal(server: Pick<StartableServer, "shutdown">): void {
  const stop = () => {
    server.shutdown().then(
      () => process.exit(0),
      (error) => {
        console.error("the server did not shut down cleanly:", error);
        process.exit(1);
      },
    );
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
}

/**
 * Makes a server, starts it, prints its listening line and stops it on a signal. Where that fails
 * (port taken, no compression on this transport, bad certificate), it prints why and exits with 1.
 */
export async function runServer<Server extends StartableServer>(
  flags: Flags,
  create: () => Server,
): Promise<Server> {
  try {
    const server = create();
    await server.start();
    stopOnSignal(server);
    console.log(listeningLine(server, flags));
    return server;
  } catch (error) {
    console.error(`cannot start: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  }
}

function parse(args: readonly string[], own: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        ...Object.fromEntries(own.map((name) => [name, { type: "string" }])),
        port: { type: "string" },
        hostname: { type: "string" },
        transport: { type: "string" },
        deflate: { type: "boolean" },
        "max-size": { type: "string" },
        origin: { type: "string", multiple: true },
        cert: { type: "string" },
        key: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    // node:util throws a TypeError whose message already names the flag and what to do.
    throw new FlagError(error instanceof Error ? error.message : String(error));
  }
}

function integer(flag: string, text: string, low: number, high: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= low && value <= high) return value;
  throw new FlagError(`${flag} must be a whole number from ${low} to ${high}, not "${text}"`);
}

function pem(flag: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new FlagError(
      `${flag}: cannot read "${path}": ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
