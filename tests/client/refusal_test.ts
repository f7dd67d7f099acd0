import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { describe, it } from "node:test";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, type ConnectOptions, RefusedError, WebSocketError } from "../../client/mod.ts";
import { HostileServer } from "../support/hostile_server.ts";
import { patiently } from "../support/patience.ts";
import { cert, echo, handling, serve, variants } from "../support/transports.ts";

const quiet = { debug: 0, tls: { ca: cert } } as const;

/** What connect() rejects with. */
async function failure(url: string, options: ConnectOptions = {}): Promise<Error> {
  const connecting = patiently(connect(url, { ...quiet, ...options }), "a refusal");
  return await assertRejects(() => connecting) as Error;
}

async function codeOf(url: string, options: ConnectOptions = {}): Promise<string> {
  const error = await failure(url, options);
  return error instanceof WebSocketError ? error.code : `${error.name}: ${error.message}`;
}

for (const variant of variants) {
  describe(`connect() that ${variant.name} refuses`, () => {
    it("rejects with the status, the header fields and the body", async () => {
      await using served = await serve(
        variant,
        handling({
          handshake: (_connection, handshake) =>
            handshake.reject(401, {
              body: "Who are you?",
              headers: { "www-authenticate": 'Basic realm="tests"' },
            }),
        }),
      );
      const error = await failure(served.url);
      assert(error instanceof RefusedError);
      assertEquals([error.code, error.status, error.text], ["ERR_REFUSED", 401, "Who are you?"]);
      assertEquals(error.headers.get("www-authenticate"), 'Basic realm="tests"');
      assertStringIncludes(error.message, "401");
    });
  });
}

describe("connect()", () => {
  it("keeps 64 KiB of a body at most, and all that came of one that is cut off", async () => {
    await using endless = await HostileServer.start(({ socket }) => {
      socket.write("HTTP/1.1 500 No\r\n\r\n");
      for (let i = 0; i < 100; i++) socket.write("a".repeat(10_000));
    });
    const error = await failure(endless.url) as RefusedError;
    assertEquals([error.status, error.body.length], [500, 64 * 1024]);
    await using cut = await HostileServer.start(({ socket }) => {
      socket.end("HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\nonly this");
    });
    assertEquals((await failure(cut.url) as RefusedError).text, "only this");
    await using slow = await HostileServer.start(({ socket }) => {
      socket.write("HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\nonly this");
    });
    const late = await failure(slow.url, { handshakeTimeout: 0.2 }) as RefusedError;
    assertEquals([late.status, late.text], [403, "only this"]);
  });

  const hostile: [rule: string, answer: (agreed: string) => string | Uint8Array, code: string][] = [
    ["an accept key of its own", (it) => it.replace(/Accept: .*/, "Accept: AAAA"), "ERR_PROTOCOL"],
    [
      "a subprotocol nobody offered",
      (it) => it.replace(/\r\n\r\n$/, "\r\nSec-WebSocket-Protocol: x\r\n\r\n"),
      "ERR_PROTOCOL",
    ],
    [
      "an extension nobody offered",
      (it) => it.replace(/\r\n\r\n$/, "\r\nSec-WebSocket-Extensions: x\r\n\r\n"),
      "ERR_PROTOCOL",
    ],
    ["a head without end", () => `HTTP/1.1 101 Ok\r\nX: ${"a".repeat(20_000)}`, "ERR_PROTOCOL"],
    ["too many fields", () => `HTTP/1.1 101 Ok\r\n${"A: b\r\n".repeat(200)}\r\n`, "ERR_PROTOCOL"],
    [
      "interim responses without end",
      () => "HTTP/1.1 100 Continue\r\n\r\n".repeat(2000),
      "ERR_PROTOCOL",
    ],
    ["another protocol", () => "220 smtp.example.com ESMTP\r\n", "ERR_PROTOCOL"],
    ["bytes of chance", () => crypto.getRandomValues(new Uint8Array(2000)), "ERR_PROTOCOL"],
    ["status 200", () => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "ERR_REFUSED"],
  ];
  for (const [rule, answer, code] of hostile) {
    it(`rejects an answer with ${rule}, and drops the server`, async () => {
      let ended: Promise<void> | undefined;
      await using server = await HostileServer.start((peer) => {
        ended = peer.ended;
        peer.socket.write(answer(peer.agree()));
      });
      assertEquals(await codeOf(server.url), code);
      await ended;
    });
  }

  it("rejects when the server closes without an answer, or resets", async () => {
    await using silent = await HostileServer.start(({ socket }) => socket.end());
    assertEquals(await codeOf(silent.url), "ERR_CONNECT");
    await using half = await HostileServer.start(({ socket }) => socket.end("HTTP/1.1 10"));
    assertEquals(await codeOf(half.url), "ERR_CONNECT");
    await using rude = await HostileServer.start(({ socket }) => socket.resetAndDestroy());
    assertEquals(await codeOf(rude.url), "ERR_CONNECT");
  });

  it("rejects when nobody listens, and when a name does not exist", async () => {
    const gone = await HostileServer.start(() => {});
    await gone[Symbol.asyncDispose]();
    assertEquals(await codeOf(gone.url), "ERR_CONNECT");
    assertEquals(await codeOf("ws://name.invalid/"), "ERR_CONNECT");
  });

  for (const secure of [false, true]) {
    it(`rejects when no answer comes in handshakeTimeout${secure ? ", over TLS" : ""}`, async () => {
      let ended: Promise<void> | undefined;
      await using mute = await HostileServer.start((peer) => void (ended = peer.ended), secure);
      const error = await failure(mute.url, { handshakeTimeout: 0.2 });
      assertEquals((error as WebSocketError).code, "ERR_CONNECT");
      assertStringIncludes(error.message, "handshakeTimeout");
      await ended;
    });

    it(`rejects with the reason of its signal, and drops the server${secure ? ", over TLS" : ""}`, async () => {
      const giveUp = new AbortController();
      let ended: Promise<void> | undefined;
      await using mute = await HostileServer.start((peer) => {
        ended = peer.ended;
        giveUp.abort(new Error("no longer wanted"));
      }, secure);
      const { message } = await failure(mute.url, { signal: giveUp.signal });
      assertEquals(message, "no longer wanted");
      await ended;
    });
  }

  it("rejects when a server never answers the TLS handshake", async () => {
    const { createServer } = await import("node:net");
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => {}).resume();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const error = await failure(`wss://127.0.0.1:${port}`, { handshakeTimeout: 0.3 });
    assertStringIncludes(error.message, "handshakeTimeout");
    const giveUp = new AbortController();
    setTimeout(() => giveUp.abort(new Error("enough")), 100);
    const given = await failure(`wss://127.0.0.1:${port}`, { signal: giveUp.signal });
    assertEquals(given.message, "enough");
    // Deno lets go of a socket in a TLS handshake only when the server does.
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });

  it("rejects at once with a signal that is aborted, and heeds none once it is open", async () => {
    assertEquals(
      await codeOf("ws://127.0.0.1:1", { signal: AbortSignal.abort(new Error("no")) }),
      "Error: no",
    );
    await using served = await serve(variants[0], echo);
    const giveUp = new AbortController();
    const connection = await connect(served.url, { ...quiet, signal: giveUp.signal });
    giveUp.abort();
    connection.send("still here");
    assertEquals(await connection.recv(), "still here");
    connection.terminate();
  });
});

describe("a client whose server breaks the protocol", () => {
  /** How the connection ends, with what the client has sent. */
  async function breach(frames: string | Uint8Array): Promise<[code: string, close: number]> {
    const { promise, resolve } = Promise.withResolvers<number>();
    await using server = await HostileServer.start((peer) => {
      peer.socket.write(peer.agree());
      peer.socket.write(frames);
      const look = () => {
        // A masked Close frame, or what there is of it.
        const bytes = peer.received();
        if (bytes.length < 8) return;
        resolve(((bytes[6] ^ bytes[2]) << 8) | (bytes[7] ^ bytes[3]));
        peer.socket.end();
      };
      peer.socket.on("data", look);
    });
    const errors: WebSocketError[] = [];
    const connection = await connect(server.url, {
      ...quiet,
      handlers: { error: (_connection, error) => void errors.push(error as WebSocketError) },
    });
    const code = await patiently(promise, "a Close frame");
    assertEquals(await connection.recv(), null);
    return [errors[0].code, code];
  }

  it("fails it with 1002 for a masked frame (RFC 6455 §5.1)", async () => {
    const masked = Uint8Array.of(0x81, 0x81, 0, 0, 0, 0, 0x61);
    assertEquals(await breach(masked), ["ERR_PROTOCOL", 1002]);
  });

  it("fails it with 1002 for a reserved opcode, and 1007 for a text that is not UTF-8", async () => {
    assertEquals(await breach(Uint8Array.of(0x83, 0)), ["ERR_PROTOCOL", 1002]);
    assertEquals(await breach(Uint8Array.of(0x81, 1, 0xff)), ["ERR_PROTOCOL", 1007]);
  });
});

describe("a client that closes (RFC 6455 §7.1.1)", () => {
  it("leaves it to the server to end the TCP connection first", async () => {
    const told: string[] = [];
    await using server = await HostileServer.start((peer) => {
      peer.socket.write(peer.agree());
      void peer.ended.then(() => told.push("client ends"));
      peer.socket.on("data", () => {
        peer.socket.write(Uint8Array.of(0x88, 0x02, 0x03, 0xe8));
        setTimeout(() => {
          told.push("server ends");
          peer.socket.end();
        }, 300);
      });
    });
    const connection = await connect(server.url, quiet);
    const end = new Promise((resolve) =>
      connection.on({ disconnect: (_it, code) => resolve(code) })
    );
    connection.disconnect(1000);
    assertEquals(await patiently(end, "the end"), 1000);
    assertEquals(told[0], "server ends");
  });

  it("waits for closeTimeout when the server does not, and then drops it", async () => {
    let ended: Promise<void> | undefined;
    await using server = await HostileServer.start((peer) => {
      ended = peer.ended;
      peer.socket.write(peer.agree());
      peer.socket.on("data", () => peer.socket.write(Uint8Array.of(0x88, 0x02, 0x03, 0xe8)));
    });
    const connection = await connect(server.url, { ...quiet, closeTimeout: 0.3 });
    const end = new Promise((resolve) =>
      connection.on({ disconnect: (_it, code) => resolve(code) })
    );
    connection.disconnect(1000);
    assertEquals(await patiently(end, "the end"), 1000);
    await ended;
  });

  it("hears 1006 when the server goes without a Close frame", async () => {
    await using server = await HostileServer.start((peer) => {
      peer.socket.write(Buffer.from(`${peer.agree()}\x81\x02Hi`, "latin1"));
      setTimeout(() => peer.socket.end(), 50);
    });
    const connection = await connect(server.url, quiet);
    const end = new Promise((resolve) =>
      connection.on({ disconnect: (_it, code) => resolve(code) })
    );
    assertEquals(await connection.recv(), "Hi");
    assertEquals(await patiently(end, "the end"), 1006);
  });
});
