import { assertEquals, assertRejects } from "@std/assert";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { NodeByteSocket } from "../../src/transport/tcp/node_byte_socket.ts";
import { WebSocketError, WebSocketServer, type WebSocketServerOptions } from "../../mod.ts";
import { concat } from "../support/client_frame.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { cert, key, serve, transports } from "../support/transports.ts";

const variant = transports.find(({ transport }) => transport === "tcp")!;
const LISTENERS: [name: string, create: () => Server, scheme: string][] = [
  ["node:net", () => createServer(), "ws"],
  ["node:tls", () => createTlsServer({ cert, key }), "wss"],
];
const EVENTS = ["connection", "secureConnection", "tlsClientError", "error"];

function counts(server: Server): number[] {
  return EVENTS.map((it) => server.listenerCount(it));
}

/** A port that somebody else listens on. */
async function takenPort(): Promise<[port: number, free: () => Promise<void>]> {
  const blocker = createServer();
  blocker.listen(0, "127.0.0.1");
  await once(blocker, "listening");
  const { port } = blocker.address() as AddressInfo;
  return [port, () => new Promise((resolve) => blocker.close(() => resolve()))];
}

/** A peer that says nothing. */
async function stall(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

for (const [name, create, scheme] of LISTENERS) {
  describe(`a listener of ${name} under ${variant.name}`, () => {
    it("is left as it was found, at shutdown", async () => {
      const listen = create();
      const before = counts(listen);
      const served = await serve(variant, { listen });
      assertEquals(served.server.listen, listen);
      await served.server.shutdown();
      assertEquals(counts(listen), before);
    });

    it("is left as it was found when start() fails, and accepts once when it is tried again", async () => {
      const [port, free] = await takenPort();
      const listen = create();
      const before = counts(listen);
      let accepted = 0;
      const server = new WebSocketServer({
        transport: "tcp",
        hostname: "127.0.0.1",
        port,
        listen,
        debug: 0,
        onConnect: () => void accepted++,
      });
      await assertRejects(() => server.start(), WebSocketError);
      assertEquals(counts(listen), before);
      await free();
      await server.start();
      const url = `${scheme}://127.0.0.1:${port}`;
      assertEquals((await RawClient.ask(url, upgradeRequest())).status, 101);
      assertEquals(accepted, 1);
      await server.shutdown();
    });
  });
}

describe(`a TLS handshake under way at a node:tls listener under ${variant.name}`, () => {
  it("ends after handshakeTimeout, and is no error of the server's", async () => {
    const listen = createTlsServer({ cert, key });
    const options = { listen, tls: undefined, handshakeTimeout: 0.2 };
    await using served = await serve(variant, options);
    const socket = await stall(served.server.port);
    socket.resume();
    await once(socket, "close");
    assertEquals(served.errors, []);
  });

  it("ends when the server stops", async () => {
    const listen = createTlsServer({ cert, key });
    const served = await serve(variant, { listen, tls: undefined, handshakeTimeout: 600 });
    const socket = await stall(served.server.port);
    // Whoever comes after it has been told of it.
    assertEquals(
      (await RawClient.ask(`wss://127.0.0.1:${served.server.port}`, upgradeRequest())).status,
      101,
    );
    socket.resume();
    const closed = once(socket, "close");
    await served.server.shutdown();
    await closed;
  });
});

/** How TLS is served: by the runtime's own listener, and by one of node:tls. */
const SECURE: [name: string, options: () => WebSocketServerOptions][] = [
  ["its own", () => ({ tls: { cert, key } })],
  ["node:tls", () => ({ listen: createTlsServer({ cert, key }) })],
];

for (const [name, options] of SECURE) {
  describe(`a TLS handshake under ${variant.name}, with a listener of ${name}`, () => {
    it("takes a seat, and gives it back when it fails or its peer leaves", async () => {
      await using served = await serve(variant, { ...options(), maxConnections: 2 });
      const url = served.url.replace("ws:", "wss:");
      for (let i = 0; i < 10; i++) {
        const socket = await stall(served.server.port);
        if (i % 2 === 0) {
          socket.write("GET / HTTP/1.1\r\n\r\n");
          socket.resume();
          await once(socket, "close");
        } else {
          socket.destroy();
        }
      }
      const ask = () => RawClient.ask(url, upgradeRequest()).then((it) => it.status, () => 0);
      // When the server hears of those who have left is not for us to know.
      let status = await ask();
      for (let attempt = 0; attempt < 100 && status !== 101; attempt++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        status = await ask();
      }
      assertEquals(status, 101);
    });
  });
}

describe("a socket of node:net", () => {
  it("tells how far its peer has read, also of one large message", () => {
    const written: [bytes: Uint8Array, done: () => void][] = [];
    const native = Object.assign(new PassThrough(), {
      write: (bytes: Uint8Array, done: () => void) => void written.push([bytes, done]),
    });
    const socket = new NodeByteSocket(native as unknown as Socket, false, { report() {} });
    let told = 0;
    socket.sink = { data: () => true, end() {}, closed() {}, written: () => void told++ };
    const message = new Uint8Array(1_000_000).map((_, i) => i);
    socket.write(message);
    const left = [socket.unwritten];
    for (let i = 0; told === 0; i++) {
      written[i][1]();
      left.push(socket.unwritten);
    }
    assertEquals(left.length > 3 && left.every((it, i) => i === 0 || it < left[i - 1]), true);
    assertEquals([left[0], left.at(-1), told], [message.length, 0, 1]);
    assertEquals(concat(...written.map(([bytes]) => bytes)), message);
  });
});
