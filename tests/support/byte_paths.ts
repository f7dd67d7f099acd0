import { createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { WebSocketConnection, WebSocketServerOptions } from "../../mod.ts";
import { RawClient, upgradeRequest } from "./raw_client.ts";
import { cert, key, runtime, serve, type Served, type Variant } from "./transports.ts";

/** One way for bytes to reach our own engine: a listener of ours or of the caller's, plain, TLS or PROXY. */
export interface BytePath extends Variant {
  /** What a client sends before anything else. */
  readonly preface: string;
  /** Whose sockets they are: the runtime's own, or those of `node:net` and `node:tls`. */
  readonly sockets: "Bun" | "Deno" | "node";
  /** The options that make a server listen this way, new ones for each server. */
  options(): WebSocketServerOptions;
}

const native = ({ bun: "Bun", deno: "Deno", node: "node" } as const)[runtime];

function bytePath(
  name: string,
  sockets: BytePath["sockets"],
  secure: boolean,
  options: () => WebSocketServerOptions,
  preface = "",
): BytePath {
  return {
    name: `${runtime}_tcp${name}`,
    transport: "tcp",
    secure,
    engine: "tcp",
    sockets,
    preface,
    options,
  };
}

const LINE = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n";
const proxied = { proxyProtocol: true, trustProxy: ["127.0.0.1"] };

/** A listener of the caller's own under Bun. */
function bunListener(tls: boolean): WebSocketServerOptions {
  const { Bun } = globalThis as unknown as { Bun: { listen(options: unknown): unknown } };
  return {
    tls: undefined,
    listen: (socket: unknown) =>
      Bun.listen({
        hostname: "127.0.0.1",
        port: 0,
        tls: tls ? { cert, key } : undefined,
        allowHalfOpen: true,
        socket,
      }),
  } as WebSocketServerOptions;
}

/** Every byte path of this runtime. */
export const bytePaths: readonly BytePath[] = [
  bytePath("", native, false, () => ({})),
  bytePath(" with TLS", native, true, () => ({ tls: { cert, key } })),
  bytePath(" behind PROXY", native, false, () => proxied, LINE),
  ...runtime === "bun"
    ? [
      bytePath(" on a Bun.listen", native, false, () => bunListener(false)),
      bytePath(" on a Bun.listen with TLS", native, true, () => bunListener(true)),
    ]
    : [],
  bytePath(" on node:net", "node", false, () => ({ listen: createServer() })),
  bytePath(" on node:net with allowHalfOpen", "node", false, () => ({
    listen: createServer({ allowHalfOpen: true }),
  })),
  bytePath(" on node:tls", "node", true, () => ({
    tls: undefined,
    listen: createTlsServer({ cert, key }),
  })),
  bytePath(
    " on node:net behind PROXY",
    "node",
    false,
    () => ({ ...proxied, listen: createServer() }),
    LINE,
  ),
];

/** Starts a server that listens this way. */
export function serveOver<C extends WebSocketConnection = WebSocketConnection>(
  path: BytePath,
  options: WebSocketServerOptions<C> = {},
): Promise<Served<C>> {
  return serve<C>(path, { ...path.options() as object, ...options });
}

/** Connects to a server that listens this way; the preface has been sent. */
export async function connectOver(path: BytePath, url: string): Promise<RawClient> {
  const client = await RawClient.connect(url);
  if (path.preface !== "") client.write(path.preface);
  return client;
}

/** Connects to a server that listens this way, and opens a WebSocket. */
export async function openOver(
  path: BytePath,
  url: string,
  headers: Record<string, string> = {},
): Promise<RawClient> {
  const client = await connectOver(path, url);
  client.write(upgradeRequest(headers));
  const { status } = await client.response(true);
  if (status !== 101) throw new Error(`the handshake was answered with ${status}`);
  return client;
}
