import { describe, it } from "node:test";
import process from "node:process";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, type ConnectOptions } from "../../client/mod.ts";
import { HostileServer } from "../support/hostile_server.ts";
import { patiently } from "../support/patience.ts";
import { cert, key, serve, transports } from "../support/transports.ts";
import { silence } from "../support/unanswering.ts";

/** What connect() rejects with. */
async function failure(url: string, options: ConnectOptions): Promise<string> {
  const connecting = patiently(connect(url, { debug: 0, ...options }), "the end of an attempt");
  return (await assertRejects(() => connecting) as Error).message;
}

const CUT_OFF = "Content-Length: 100\r\n\r\nonly this";

describe("connect() gives up", () => {
  it("when the time is over with a redirect that has not come whole", async () => {
    await using mute = await HostileServer.start(() => {});
    await using server = await HostileServer.start(({ socket }) => {
      socket.write(`HTTP/1.1 302 Found\r\nLocation: ${mute.url}\r\n${CUT_OFF}`);
    });
    assertStringIncludes(await failure(server.url, { handshakeTimeout: 0.2 }), "handshakeTimeout");
    assertEquals(mute.requests, []);
  });

  it("with the reason of its signal, also while the body of an answer comes", async () => {
    const giveUp = new AbortController();
    await using server = await HostileServer.start(({ socket }) => {
      socket.write(`HTTP/1.1 403 No\r\n${CUT_OFF}`, () => {
        setTimeout(() => giveUp.abort(new Error("no longer wanted")), 50);
      });
    });
    assertEquals(await failure(server.url, { signal: giveUp.signal }), "no longer wanted");
  });

  const skip = process.platform !== "linux" &&
    "only Linux keeps those waiting that come to a full queue";
  it("when the server's host says nothing at all", { skip }, async () => {
    const [variant] = transports;
    await using served = await serve(variant);
    const { port } = served.server;
    await using _silent = await silence(port!, ["127.0.0.2"]);
    const kinds: [scheme: string, options: ConnectOptions][] = [
      ["ws", {}],
      ["wss", {}],
      ["wss", { tls: { ca: cert, cert, key } }],
      ["ws", { proxy: `http://127.0.0.2:${port}` }],
    ];
    for (const [scheme, options] of kinds) {
      const url = `${scheme}://127.0.0.2:${port}`;
      const late = await failure(url, { ...options, handshakeTimeout: 0.1 });
      assertStringIncludes(late, "handshakeTimeout");
      const giveUp = new AbortController();
      setTimeout(() => giveUp.abort(new Error("no longer wanted")), 50);
      assertEquals(await failure(url, { ...options, signal: giveUp.signal }), "no longer wanted");
    }
  });
});
