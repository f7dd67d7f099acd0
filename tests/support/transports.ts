import { readFileSync } from "node:fs";
import {
  type ConnectionHandlers,
  type WebSocketConnection,
  WebSocketServer,
  type WebSocketServerOptions,
} from "../../mod.ts";

/** The runtime that these tests run under. */
export const runtime: "bun" | "deno" | "node" = "Bun" in globalThis
  ? "bun"
  : "Deno" in globalThis
  ? "deno"
  : "node";

/** One way in which the suite serves: a transport, plain or with TLS. */
export interface Variant {
  /** Such as "deno_tcp" or "bun_http with TLS". */
  readonly name: string;
  readonly transport: "http" | "tcp";
  readonly secure: boolean;
  /** Whose frames they are: those of the runtime's own engine, or ours. */
  readonly engine: "Deno.serve" | "Bun.serve" | "tcp";
}

/** Whose frames those of each runtime's HTTP server are; Node has no engine of its own. */
const ENGINES = { deno: "Deno.serve", bun: "Bun.serve", node: "tcp" } as const;

/** The transports of this runtime, plain. */
export const transports: readonly Variant[] = (["http", "tcp"] as const).map((transport) => ({
  name: `${runtime}_${transport}`,
  transport,
  secure: false,
  engine: transport === "tcp" ? "tcp" : ENGINES[runtime],
}));

/** The transports of this runtime, plain and with TLS. */
export const variants: readonly Variant[] = transports.flatMap((it) => [
  it,
  { ...it, name: `${it.name} with TLS`, secure: true },
]);

const here = new URL("../tls/", import.meta.url);
/** The certificate that the tests serve with, which is its own root. */
export const cert: string = readFileSync(new URL("cert.pem", here), "utf8");
/** Its private key. */
export const key: string = readFileSync(new URL("key.pem", here), "utf8");

/** A server under test; shut down at the end of an `await using` block. */
export interface Served<C extends WebSocketConnection> {
  readonly server: WebSocketServer<C>;
  /** `ws://127.0.0.1:PORT`, or `wss:` with TLS. */
  readonly url: string;
  /** What `onError` was told, in order. */
  readonly errors: Error[];
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a server on a free port of the loopback address. Errors go to `errors` and nothing is logged,
 * unless the options say otherwise.
 */
export async function serve<C extends WebSocketConnection = WebSocketConnection>(
  variant: Variant,
  options: WebSocketServerOptions<C> = {},
): Promise<Served<C>> {
  const errors: Error[] = [];
  const server = new WebSocketServer<C>({
    hostname: "127.0.0.1",
    transport: variant.transport,
    tls: variant.secure ? { cert, key } : undefined,
    debug: 0,
    closeTimeout: 2,
    onError: (_server, error) => void errors.push(error),
    ...options,
  });
  await server.start();
  return {
    server,
    url: `${variant.secure ? "wss" : "ws"}://127.0.0.1:${server.port}`,
    errors,
    [Symbol.asyncDispose]: async () => void await server.shutdown(),
  };
}

/** Options that echo every message with its kind. */
export const echo: WebSocketServerOptions = {
  onConnect(_server, connection) {
    connection.on({
      utf8: (connection, data) => void connection.sendUtf8(data),
      binary: (connection, data) => void connection.sendBinary(data),
    });
  },
};

/** Options that set these handlers on every connection. */
export function handling(
  handlers: ConnectionHandlers<WebSocketConnection>,
): WebSocketServerOptions {
  return { onConnect: (_server, connection) => void connection.on(handlers) };
}
