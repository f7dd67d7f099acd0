import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect as connectSocket, type Socket } from "node:net";
import { describe, it } from "node:test";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, WebSocketError } from "../../client/mod.ts";
import { patiently } from "../support/patience.ts";
import { cert, echo, runtime, serve, variants } from "../support/transports.ts";

/** An HTTP proxy that wants a password. */
interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** The targets that it was asked to connect to, with the credentials it was shown. */
  readonly asked: string[];
  /** The status that it answers with in place of connecting; 0 for never at all. */
  status: number;
}

async function startProxy(): Promise<Proxy> {
  const server: Server = createServer();
  const sockets = new Set<Socket>();
  const proxy = {
    port: 0,
    asked: [] as string[],
    status: 200,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on("connect", (request: IncomingMessage, client: Socket) => {
    sockets.add(client.on("error", () => {}));
    proxy.asked.push(`${request.url} ${request.headers["proxy-authorization"] ?? "nobody"}`);
    if (proxy.status === 0) return;
    if (proxy.status !== 200) {
      client.end(`HTTP/1.1 ${proxy.status} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(request.url!)!;
    const target = connectSocket(Number(port), host, () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      client.pipe(target).pipe(client);
    });
    sockets.add(target.on("error", () => client.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.port = (server.address() as AddressInfo).port;
  return proxy;
}

for (const variant of variants.filter(({ transport }) => transport === "tcp")) {
  describe(`connect({ proxy }) to ${variant.name}`, () => {
    it("goes by way of an HTTP proxy, which it shows its credentials (RFC 9110 §9.3.6)", async () => {
      await using served = await serve(variant, echo);
      await using proxy = await startProxy();
      const connection = await connect(served.url, {
        debug: 0,
        tls: { ca: cert },
        proxy: `http://me:p%40ss@127.0.0.1:${proxy.port}`,
      });
      for (const message of ["hello", "ä".repeat(200_000)]) {
        connection.send(message);
        assertEquals(await connection.recv(), message);
      }
      const credentials = `Basic ${btoa("me:p@ss")}`;
      assertEquals(proxy.asked, [`127.0.0.1:${served.server.port} ${credentials}`]);
      const end = new Promise((resolve) =>
        connection.on({ disconnect: (_it, code) => resolve(code) })
      );
      connection.disconnect(1000);
      assertEquals(await patiently(end, "the end of a connection by way of a proxy"), 1000);
    });
  });
}

describe(`connect({ proxy }) on ${runtime}`, () => {
  it("tells what the proxy refuses: ERR_CONNECT", async () => {
    await using proxy = await startProxy();
    proxy.status = 407;
    const options = { debug: 0, proxy: `http://127.0.0.1:${proxy.port}` } as const;
    const error = await assertRejects(() => connect("ws://example.invalid/", options));
    assertEquals((error as WebSocketError).code, "ERR_CONNECT");
    assertStringIncludes((error as Error).message, "407");
    assertEquals(proxy.asked, ["example.invalid:80 nobody"]);
  });

  it("gives up when the proxy does not answer", async () => {
    await using proxy = await startProxy();
    proxy.status = 0;
    const options = {
      debug: 0,
      handshakeTimeout: 0.2,
      proxy: `http://127.0.0.1:${proxy.port}`,
    } as const;
    const error = await assertRejects(() => connect("wss://example.invalid/", options));
    assertEquals((error as WebSocketError).code, "ERR_CONNECT");
    assertStringIncludes((error as Error).message, "handshakeTimeout");
  });

  it("refuses a certificate for somebody else behind the proxy", async () => {
    await using served = await serve(variants.find((it) => it.secure && it.transport === "tcp")!);
    await using proxy = await startProxy();
    const options = { debug: 0, proxy: `http://127.0.0.1:${proxy.port}` } as const;
    await assertRejects(() => connect(served.url, options), WebSocketError);
    const tls = { ca: cert, servername: "other.example" };
    await assertRejects(() => connect(served.url, { ...options, tls }), WebSocketError);
  });
});
