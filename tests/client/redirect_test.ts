import { describe, it } from "node:test";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, type ConnectOptions, RefusedError } from "../../client/mod.ts";
import { HostileServer } from "../support/hostile_server.ts";
import { cert } from "../support/transports.ts";

const quiet = { debug: 0, tls: { ca: cert } } as const;

function found(location: string, status = 302): string {
  return `HTTP/1.1 ${status} Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`;
}

/** A server that agrees to everything. */
function friendly(secure = false): Promise<HostileServer> {
  return HostileServer.start((peer) => peer.socket.write(peer.agree()), secure);
}

function redirecting(location: string, secure = false, status = 302): Promise<HostileServer> {
  return HostileServer.start((peer) => peer.socket.end(found(location, status)), secure);
}

async function refusal(url: string, options: ConnectOptions = {}): Promise<RefusedError> {
  return await assertRejects(() => connect(url, { ...quiet, ...options })) as RefusedError;
}

const CREDENTIALS = { authorization: "Bearer secret", cookie: "a=secret", "x-plain": "1" };

describe("connect() follows a redirect", () => {
  for (const status of [301, 302, 303, 307, 308]) {
    it(`of status ${status}, to an http: URL`, async () => {
      await using target = await friendly();
      await using server = await redirecting(
        `${target.url.replace("ws", "http")}/there?x=1`,
        false,
        status,
      );
      const connection = await connect(server.url, quiet);
      assertEquals(target.requests[0].split("\r\n")[0], "GET /there?x=1 HTTP/1.1");
      connection.terminate();
    });
  }

  it("on the same host with all header fields, and a new key", async () => {
    let count = 0;
    await using server = await HostileServer.start((peer) => {
      if (count++ === 0) peer.socket.end(found("/there#part"));
      else peer.socket.write(peer.agree());
    });
    const connection = await connect(server.url, { ...quiet, headers: CREDENTIALS });
    const [first, second] = server.requests;
    assertStringIncludes(second, "GET /there HTTP/1.1");
    assertStringIncludes(second, "secret");
    const key = (text: string) => /sec-websocket-key: (.*)/i.exec(text)![1];
    assertEquals(key(first) === key(second), false);
    connection.terminate();
  });

  it("to another host without credentials", async () => {
    await using target = await friendly();
    const elsewhere = target.url.replace("://", "://user:secret@");
    await using server = await redirecting(elsewhere);
    const url = server.url.replace("://", "://me:secret@");
    const connection = await connect(url, {
      ...quiet,
      headers: { "x-plain": "1", cookie: "a=secret" },
    });
    assertStringIncludes(server.requests[0], "uthorization: Basic");
    assertEquals(/authorization|cookie/i.test(target.requests[0]), false);
    assertStringIncludes(target.requests[0], "x-plain: 1");
    connection.terminate();
    const again = await connect(server.url, { ...quiet, headers: CREDENTIALS });
    assertEquals(/secret/.test(target.requests[1]), false);
    again.terminate();
  });

  it("from ws: to wss:", async () => {
    await using target = await friendly(true);
    await using server = await redirecting(target.url);
    const connection = await connect(server.url, quiet);
    connection.terminate();
  });
});

describe("connect() does not follow a redirect", () => {
  it("from wss: to ws:", async () => {
    await using target = await friendly();
    for (const url of [target.url, target.url.replace("ws", "http")]) {
      await using server = await redirecting(url, true);
      const error = await refusal(server.url);
      assertEquals([error.status, error.code], [302, "ERR_REFUSED"]);
      assertStringIncludes(error.message, "TLS");
    }
    assertEquals(target.requests, []);
  });

  it("to another scheme, or nowhere", async () => {
    for (const location of ["ftp://example.com/", "javascript:alert(1)", "http://["]) {
      await using server = await redirecting(location);
      assertEquals((await refusal(server.url)).status, 302);
    }
    await using server = await HostileServer.start(({ socket }) => {
      socket.end("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n");
    });
    assertEquals((await refusal(server.url)).status, 302);
  });

  it("over maxRedirects, nor one in a circle", async () => {
    await using server = await redirecting("/again");
    assertStringIncludes((await refusal(server.url, { maxRedirects: 3 })).message, "maxRedirects");
    assertEquals(server.requests.length, 4);
    assertEquals(
      (await refusal(server.url, { maxRedirects: 0 })).headers.get("location"),
      "/again",
    );
    assertEquals(server.requests.length, 5);
  });

  it("for longer than handshakeTimeout in all", async () => {
    await using server = await HostileServer.start(({ socket }) => {
      setTimeout(() => socket.end(found("/again")), 100);
    });
    const error = await refusal(server.url, { maxRedirects: 100, handshakeTimeout: 0.5 });
    assertStringIncludes(error.message, "handshakeTimeout");
  });
});
