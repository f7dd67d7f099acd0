import { once } from "node:events";
import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import type { ServerOptions, WebSocketServer as WsServer } from "ws";
import { connect, permessageDeflate } from "../../client/mod.ts";
import { patiently } from "../support/patience.ts";
import { runtime } from "../support/transports.ts";

type WsServerConstructor = new (options: ServerOptions) => WsServer;
// By its path: for the name "ws" Bun gives its own imitation.
const { WebSocketServer } = await import(
  new URL("../../node_modules/ws/wrapper.mjs", import.meta.url).href
) as { WebSocketServer: WsServerConstructor };

/** An echo server that is not ours. */
interface Foreign extends AsyncDisposable {
  readonly url: string;
}

async function startWs(options: ServerOptions = {}): Promise<Foreign> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...options });
  await once(server, "listening");
  server.on("connection", (socket) => {
    socket.on("message", (data, binary) => {
      if (String(data) === "close") socket.close(4002, "as asked");
      else socket.send(data, { binary });
    });
  });
  const { port } = server.address() as { port: number };
  return {
    url: `ws://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const it of server.clients) it.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The parts of the runtimes' own servers that are called here. */
interface Runtimes {
  Deno: {
    serve(
      options: { hostname: string; port: number; onListen(): void },
      handler: (request: Request) => Response,
    ): { addr: { port: number }; shutdown(): Promise<void> };
    upgradeWebSocket(request: Request): { socket: WebSocket; response: Response };
  };
  Bun: {
    serve(options: unknown): { port: number; stop(all: boolean): Promise<void> };
  };
}

const { Deno, Bun } = globalThis as unknown as Runtimes;

function startDeno(): Promise<Foreign> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => {
      if (data === "close") socket.close(4002, "as asked");
      else socket.send(data);
    };
    return response;
  });
  return Promise.resolve({
    url: `ws://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  });
}

function startBun(): Promise<Foreign> {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request: Request, info: { upgrade(request: Request): boolean }) =>
      info.upgrade(request) ? undefined : new Response("no", { status: 400 }),
    websocket: {
      perMessageDeflate: true,
      message(
        socket: {
          send(data: unknown, compress: boolean): void;
          close(code: number, reason: string): void;
        },
        data: unknown,
      ) {
        if (data === "close") socket.close(4002, "as asked");
        else socket.send(data, true);
      },
    },
  });
  return Promise.resolve({
    url: `ws://127.0.0.1:${server.port}`,
    [Symbol.asyncDispose]: () => server.stop(true),
  });
}

const servers: [name: string, start: () => Promise<Foreign>, compressed: boolean][] = [
  ["the package ws", startWs, false],
  [
    "the package ws with context takeover",
    () => startWs({ perMessageDeflate: { threshold: 0 } }),
    true,
  ],
  [
    "the package ws with small windows",
    () =>
      startWs({
        perMessageDeflate: {
          threshold: 0,
          serverMaxWindowBits: 9,
          clientMaxWindowBits: 9,
          serverNoContextTakeover: true,
          clientNoContextTakeover: true,
        },
      }),
    true,
  ],
  ...({
    deno: [["Deno.serve", startDeno, false]],
    bun: [["Bun.serve", startBun, true]],
    // Node has none.
    node: [],
  } satisfies Record<string, [string, () => Promise<Foreign>, boolean][]>)[runtime],
];

for (const [name, start, compressed] of servers) {
  describe(`connect() to ${name}`, () => {
    for (const contextTakeover of [true, false]) {
      it(`exchanges messages${contextTakeover ? ", with context takeover" : ""}`, async () => {
        await using server = await start();
        const connection = await connect(server.url, {
          debug: 0,
          extensions: permessageDeflate({ contextTakeover }),
          compressionThreshold: 0,
        });
        assertEquals(connection.extensions, compressed ? ["permessage-deflate"] : []);
        for (const size of [0, 1, 125, 126, 1000, 65_536, 300_000]) {
          const text = "ä🥊b".repeat(size / 4);
          connection.send(text);
          assertEquals(await connection.recv(), text);
          const data = new Uint8Array(size).map((_, i) => i * i);
          connection.send(data);
          assertEquals(new Uint8Array(await connection.recv() as Uint8Array), data);
        }
        const end = new Promise((resolve) =>
          connection.on({ disconnect: (_it, code, reason) => resolve([code, reason]) })
        );
        connection.send("close");
        assertEquals(await patiently(end, "the end"), [4002, "as asked"]);
      });
    }
  });
}
