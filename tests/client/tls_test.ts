import { once } from "node:events";
import { createServer, type TLSSocket } from "node:tls";
import { describe, it } from "node:test";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, type ConnectOptions, type WebSocketError } from "../../client/mod.ts";
import { cert, echo, key, runtime, serve, variants } from "../support/transports.ts";

const [secure] = variants.filter((it) => it.secure && it.transport === "tcp");

async function failure(url: string, options: ConnectOptions): Promise<WebSocketError> {
  return await assertRejects(() => connect(url, { debug: 0, ...options })) as WebSocketError;
}

/** Connects, and makes sure that it works. */
async function works(url: string, options: ConnectOptions): Promise<void> {
  const connection = await connect(url, { debug: 0, ...options });
  connection.send("Hello");
  assertEquals(await connection.recv(), "Hello");
  connection.terminate();
}

describe("connect() with TLS", () => {
  it("verifies the certificate", async () => {
    await using served = await serve(secure, echo);
    await works(served.url, { tls: { ca: cert } });
    await works(served.url, { tls: { ca: [cert] } });
    await works(served.url.replace("127.0.0.1", "localhost"), { tls: { ca: cert } });
    assertEquals((await failure(served.url, {})).code, "ERR_CONNECT");
  });

  it("verifies that it is for the host, or for servername", async () => {
    await using served = await serve(secure, { ...echo, hostname: "0.0.0.0" });
    const { url } = { url: `wss://127.0.0.2:${served.server.port}` };
    assertEquals((await failure(url, { tls: { ca: cert } })).code, "ERR_CONNECT");
    await works(url, { tls: { ca: cert, servername: "localhost" } });
    const wrong = { ca: cert, servername: "example.com" };
    assertEquals((await failure(served.url, { tls: wrong })).code, "ERR_CONNECT");
  });

  it("accepts any certificate when that is spelled out, but under Deno", async () => {
    await using served = await serve(secure, { ...echo, hostname: "0.0.0.0" });
    const { url } = { url: `wss://127.0.0.2:${served.server.port}` };
    const tls = { rejectUnauthorized: false };
    if (runtime !== "deno") await works(url, { tls });
    else {
      const error = await failure(url, { tls });
      assertEquals(error.code, "ERR_UNSUPPORTED");
      assertStringIncludes(error.message, "rejectUnauthorized");
    }
    assertEquals((await failure(url, { tls: { rejectUnauthorized: true } })).code, "ERR_CONNECT");
  });

  it("shows a client certificate", async () => {
    const shown: unknown[] = [];
    const server = createServer({
      cert,
      key,
      ca: cert,
      requestCert: true,
      rejectUnauthorized: false,
    });
    server.on("secureConnection", (socket: TLSSocket) => {
      shown.push(socket.getPeerCertificate()?.subject?.CN);
    });
    server.on("tlsClientError", () => {});
    const listening = once(server, "listening");
    server.listen(0, "127.0.0.1");
    await listening;
    await using served = await serve({ ...secure, secure: false }, { listen: server, ...echo });
    const url = served.url.replace("ws:", "wss:");
    await works(url, { tls: { ca: cert, cert, key } });
    await works(url, { tls: { ca: cert } });
    assertEquals(shown, ["Duet test certificate", undefined]);
    if (runtime === "deno") {
      const tls = { ca: cert, cert, key, servername: "localhost" };
      assertEquals((await failure(url, { tls })).code, "ERR_UNSUPPORTED");
    }
  });

  it("rejects when the server speaks none", async () => {
    const [plain] = variants.filter((it) => !it.secure && it.transport === "tcp");
    await using served = await serve(plain, echo);
    const error = await failure(served.url.replace("ws:", "wss:"), { tls: { ca: cert } });
    assertEquals(error.code, "ERR_CONNECT");
  });
});
