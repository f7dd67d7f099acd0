import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import type { WebSocketConnection, WebSocketServerOptions } from "../../mod.ts";
import {
  type BytePath,
  bytePaths,
  connectOver,
  openOver,
  serveOver,
} from "../support/byte_paths.ts";
import { clientFrame, closeBytes, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { upgradeRequest } from "../support/raw_client.ts";
import { handling, runtime } from "../support/transports.ts";

const KIB = 1024;
const CLOSE = clientFrame(8, closeBytes(1000));
const PLAIN = "GET /health HTTP/1.1\r\nHost: app.example\r\n\r\n";

/** Writes down each message and the end; a message is dealt with once the gate is open. */
function slowly(journal: Journal<string>, gate: Promise<void>): WebSocketServerOptions {
  return handling({
    async utf8(_connection, data) {
      journal.add(data);
      await gate;
    },
    disconnect: (_connection, code) => journal.add(`disconnect ${code}`),
  });
}

function messages(...texts: string[]): Uint8Array {
  return concat(...texts.map((it) => clientFrame(1, it)));
}

/** How a peer goes, and the code that its connection ends with. */
const WAYS: [name: string, last: Uint8Array, reset: boolean, code: number][] = [
  ["a Close frame and the end of its half", CLOSE, false, 1000],
  ["the end of its half", new Uint8Array(0), false, 1006],
  ["a reset", new Uint8Array(0), true, 1006],
];

function describeMessages(path: BytePath): void {
  for (const [name, last, reset, code] of WAYS) {
    it(`messages before ${name} are delivered while a handler is busy, then the end`, async () => {
      const journal = new Journal<string>();
      const gate = Promise.withResolvers<void>();
      await using served = await serveOver(path, slowly(journal, gate.promise));
      const client = await openOver(path, served.url);
      client.write(concat(messages("1", "2", "3"), last));
      await journal.first(1);
      if (reset) client.reset();
      else client.socket.end();
      gate.resolve();
      assertEquals(await journal.first(4), ["1", "2", "3", `disconnect ${code}`]);
      assertEquals(served.errors, []);
    });

    it(`what waits in the socket before ${name} is delivered, then the end`, async () => {
      const journal = new Journal<string>();
      const gate = Promise.withResolvers<void>();
      const options = { ...slowly(journal, gate.promise), highWaterMark: 1 };
      await using served = await serveOver(path, options);
      const client = await openOver(path, served.url);
      client.write(messages("1"));
      await journal.first(1);
      const texts = Array.from({ length: 40 }, (_, i) => `${i} ${"x".repeat(KIB)}`);
      await new Promise<void>((resolve) => {
        client.socket.write(concat(...texts.map((it) => messages(it)), last), () => resolve());
      });
      if (reset) client.reset();
      else client.socket.end();
      gate.resolve();
      const seen = await journal.first(texts.length + 2);
      assertEquals(seen.map((it) => it.slice(0, 15)), [
        "1",
        ...texts.map((it) => it.slice(0, 15)),
        `disconnect ${code}`,
      ]);
    });
  }

  it("a connection that is paused is told of what came before the end once it reads on", async () => {
    const journal = new Journal<string>();
    const ready = Promise.withResolvers<WebSocketConnection>();
    await using served = await serveOver(
      path,
      handling({
        ready(connection) {
          connection.pause();
          ready.resolve(connection);
        },
        utf8: (_connection, data) => journal.add(data),
        disconnect: (_connection, code) => journal.add(`disconnect ${code}`),
      }),
    );
    using client = await openOver(path, served.url);
    client.socket.end(messages("1", "2"));
    (await ready.promise).resume();
    assertEquals(await journal.first(3), ["1", "2", "disconnect 1006"]);
  });
}

/** What is asked for and not read before the peer ends its half. */
const SIZES = [5, 100 * KIB, 8 * KIB * KIB];

/** Answers with so many bytes, and gives a busy machine the time to send them. */
function answering(size: number) {
  const utf8 = (connection: WebSocketConnection) =>
    void connection.sendBinary(new Uint8Array(size));
  return { ...handling({ utf8 }), closeTimeout: 120 };
}

function describeAnswers(path: BytePath): void {
  for (const size of SIZES) {
    it(`a peer that has ended its half gets its answer of ${size} bytes, then the end`, async () => {
      await using served = await serveOver(
        path,
        answering(size),
      );
      using client = await openOver(path, served.url);
      client.pause();
      client.socket.end(messages("go"));
      client.resume();
      assertEquals((await client.frame())?.payload.length, size);
      assertEquals(await client.frame(), null);
      assertEquals(client.socket.errored ?? null, null);
    });

    it(`a Close frame comes after an answer of ${size} bytes`, async () => {
      await using served = await serveOver(
        path,
        answering(size),
      );
      using client = await openOver(path, served.url);
      client.pause();
      client.socket.end(concat(messages("go"), CLOSE));
      client.resume();
      assertEquals((await client.frame())?.payload.length, size);
      assertEquals(await client.closeCode(), 1000);
    });
  }

  it("a peer that is failed in the midst of sending gets the Close frame, not a reset", async () => {
    await using served = await serveOver(path, {});
    using client = await openOver(path, served.url);
    client.write(concat(clientFrame(3, "no such opcode"), new Uint8Array(4 * KIB * KIB)));
    assertEquals(await client.closeCode(), 1002);
    await client.end();
    assertEquals(client.socket.errored ?? null, null);
  });

  const lastWords: [name: string, bytes: Uint8Array, code: number][] = [
    ["a bad frame", clientFrame(3, "no such opcode"), 1002],
    ["a Close frame", CLOSE, 1000],
  ];
  for (const [name, bytes, code] of lastWords) {
    it(`bytes behind ${name} do not cost a peer that reads late the Close frame`, async () => {
      await using served = await serveOver(path, {});
      using client = await openOver(path, served.url);
      client.pause();
      // More than the buffers on the way hold: they cannot be sent if they are not read.
      await new Promise<void>((resolve) => {
        client.socket.write(concat(bytes, new Uint8Array(16 * KIB * KIB)), () => resolve());
      });
      client.resume();
      assertEquals(await client.closeCode(), code);
      assertEquals(client.socket.errored ?? null, null);
    });
  }

  it("disconnect comes once, at the latest after closeTimeout, when the peer never ends", async () => {
    const ends = new Journal<number>();
    await using served = await serveOver(path, {
      ...handling({ disconnect: (_connection, code) => ends.add(code) }),
      closeTimeout: 0.2,
    });
    using client = await openOver(path, served.url);
    client.socket.allowHalfOpen = true;
    client.write(CLOSE);
    assertEquals(await client.closeCode(), 1000);
    assertEquals(await ends.next(), 1000);
    assertEquals(ends.entries.length, 1);
  });
}

function describeRequests(path: BytePath): void {
  const later = () => new Promise<void>((resolve) => setTimeout(resolve, 20));
  const cases: [name: string, request: string, status: number, options: WebSocketServerOptions][] =
    [
      ["a plain request", PLAIN, 200, { onRequest: () => new Response("healthy") }],
      ["a plain request that is served later", PLAIN, 200, {
        async onRequest() {
          await later();
          return new Response("healthy");
        },
      }],
      ["a plain request that nobody serves", PLAIN, 426, {}],
      [
        "an upgrade that is refused",
        upgradeRequest(),
        404,
        handling({ handshake: (_connection, handshake) => handshake.reject(404) }),
      ],
      [
        "an upgrade that is refused later",
        upgradeRequest(),
        404,
        handling({
          async handshake(_connection, handshake) {
            await later();
            handshake.reject(404);
          },
        }),
      ],
      ["an upgrade", upgradeRequest(), 101, {}],
      ["an upgrade that is taken later", upgradeRequest(), 101, handling({ handshake: later })],
    ];
  for (const [name, request, status, options] of cases) {
    it(`${name} is answered with ${status} though the client has ended its half`, async () => {
      const ends = new Journal<number>();
      await using served = await serveOver(path, {
        ...options,
        onConnect(server, connection) {
          options.onConnect?.(server, connection);
          connection.on({ disconnect: (_connection, code) => ends.add(code) });
        },
      });
      using client = await connectOver(path, served.url);
      client.socket.end(request);
      const response = await client.response();
      assertEquals(response.status, status);
      if (status === 200) assertEquals(response.body, "healthy");
      await client.end();
      assertEquals(await ends.next(), 1006);
      assertEquals(served.errors, []);
    });
  }

  it("half a request and the end is nobody", async () => {
    const ends = new Journal<number>();
    await using served = await serveOver(
      path,
      handling({ disconnect: (_connection, code) => ends.add(code) }),
    );
    using client = await connectOver(path, served.url);
    client.socket.end("GET / HT");
    assertEquals(await ends.next(), 1006);
    await client.end();
    assertEquals(client.received.length, 0);
  });

  it("a reset in the midst of a request is no error of the server's", async () => {
    const ends = new Journal<number>();
    await using served = await serveOver(
      path,
      handling({ disconnect: (_connection, code) => ends.add(code) }),
    );
    const client = await connectOver(path, served.url);
    client.write("GET / HT");
    client.reset();
    await ends.next();
    assertEquals(served.errors, []);
  });
}

for (const path of bytePaths) {
  describe(`the end comes after the bytes over ${path.name}`, () => {
    describeMessages(path);
    describeAnswers(path);
    describeRequests(path);
  });
}

describe("these tests", () => {
  it("look at every kind of socket", () => {
    assertEquals(new Set(bytePaths.map(({ sockets }) => sockets)).size, runtime === "node" ? 1 : 2);
  });
});
