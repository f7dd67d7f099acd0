import { describe, it } from "node:test";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, type ConnectOptions, WebSocketError } from "../../client/mod.ts";

async function refused(url: unknown, options: unknown = {}): Promise<WebSocketError> {
  const error = await assertRejects(() => connect(url as string, options as ConnectOptions));
  assert(error instanceof WebSocketError, String(error));
  assertEquals(error.code, "ERR_INVALID_ARGUMENT");
  return error;
}

describe("the options of connect()", () => {
  const wrong: Record<string, unknown[]> = {
    handlers: [1, null],
    connectionClass: [class {}, "x"],
    headers: [{ "a b": "1" }, { a: "b\nc" }, { a: "€" }, { upgrade: "x" }, {
      "Sec-WebSocket-Key": "x",
    }, 5],
    subprotocols: ["chat", ["a b"]],
    extensions: ["x-unknown", [{ name: "x-server-only", negotiate: () => undefined }]],
    tls: [1, { certs: "x" }, { cert: "x" }, { key: "x" }, { ca: 1 }, { rejectUnauthorized: 0 }],
    unix: ["", 1],
    proxy: ["proxy:3128", "https://proxy", "http://proxy/path", "", 1],
    reconnecting: [1, "yes", { minDelay: -1 }, { maxDelay: "1" }, { onFailure: 1 }, { tries: 5 }],
    handshakeTimeout: [-1, "1", NaN],
    signal: [{}],
    maxRedirects: [-1, 1.5, 101],
    maxRecvSize: [-1],
    highWaterMark: ["1"],
    silenceMax: [-1],
    debug: [5],
    logger: [{}],
    unknown: [1],
  };
  for (const [name, values] of Object.entries(wrong)) {
    it(`refuse a wrong ${name}, which they name`, async () => {
      for (const value of values) {
        const { message } = await refused("ws://127.0.0.1:1", { [name]: value });
        assertStringIncludes(message, name === "extensions" ? "extension" : name);
      }
    });
  }

  it("never show a private key", async () => {
    const { message } = await refused("ws://127.0.0.1:1", { tls: { key: "secret", cert: 5 } });
    assert(!message.includes("secret"));
  });

  it("never show a proxy's password, and refuse a proxy beside a Unix socket", async () => {
    const proxied = { proxy: "https://me:secret@proxy" };
    assert(!(await refused("ws://127.0.0.1:1", proxied)).message.includes("secret"));
    const both = { proxy: "http://me:secret@proxy", unix: "/socket" };
    assert(!(await refused("ws://127.0.0.1:1", both)).message.includes("secret"));
  });

  it("refuse unknown handlers", async () => {
    const { createServer } = await import("node:net");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    await refused(`ws://127.0.0.1:${port}`, { handlers: { massage() {} } });
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });

  it("refuse what is no URL of a WebSocket (RFC 6455 §3)", async () => {
    for (const url of ["", "/path", "ftp://example.com", "ws://example.com/#part", "ws://a/#", 5]) {
      await refused(url);
    }
    const { message } = await refused("ftp://me:secret@example.com");
    assert(!message.includes("secret"));
  });

  it("never show a proxy's password, and refuse a proxy beside a Unix socket", async () => {
    const proxied = { proxy: "https://me:secret@proxy" };
    assert(!(await refused("ws://127.0.0.1:1", proxied)).message.includes("secret"));
    const both = { proxy: "http://me:secret@proxy", unix: "/socket" };
    assert(!(await refused("ws://127.0.0.1:1", both)).message.includes("secret"));
  });
});
