import { assert, assertEquals, assertMatch } from "@std/assert";
import { once } from "node:events";
import { describe, it } from "node:test";
import { bytePaths, connectOver, serveOver } from "../support/byte_paths.ts";
import { Journal } from "../support/journal.ts";
import { inTime, patiently } from "../support/patience.ts";
import type { RawClient } from "../support/raw_client.ts";
import { runtime, type Served } from "../support/transports.ts";
import type { RequestInfo, WebSocketConnection, WebSocketServerOptions } from "../../mod.ts";

type Answer = (request: Request, info: RequestInfo) => Response | Promise<Response>;

function get(version = "1.1", method = "GET"): string {
  return `${method} / HTTP/${version}\r\nHost: app.example\r\n\r\n`;
}

/** The whole of a response, to the end of its connection. */
async function whole(client: RawClient): Promise<[head: string, body: string]> {
  await client.end();
  const text = client.received.toString("latin1");
  const at = text.indexOf("\r\n\r\n");
  return [text.slice(0, at), text.slice(at + 4)];
}

/** A body of which a piece can be given whenever one likes. */
function stream(
  pull: (controller: ReadableStreamDefaultController<Uint8Array>) => void | Promise<void>,
  cancel: () => void = () => {},
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({ pull, cancel }, { highWaterMark: 0 });
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A body of these pieces, each of which comes in a turn of its own. */
function pieces(...texts: string[]): ReadableStream<Uint8Array> {
  return stream(async (controller) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const text = texts.shift();
    if (text === undefined) controller.close();
    else controller.enqueue(bytes(text));
  });
}

/** What is answered, to which request, and what a client sees. */
const FRAMED: [name: string, request: string, answer: Answer, head: RegExp, body: string][] = [
  ["a text has its length", get(), () => new Response("12345"), /content-length: 5/i, "12345"],
  ["no body has length 0", get(), () => new Response(null), /content-length: 0/i, ""],
  [
    "a HEAD has the length and no body (RFC 9110 §9.3.2)",
    get("1.1", "HEAD"),
    () => new Response("12345"),
    /content-length: 5/i,
    "",
  ],
  [
    "a HEAD keeps the length that the handler tells",
    get("1.1", "HEAD"),
    () => new Response(null, { headers: { "Content-Length": "1234" } }),
    /content-length: 1234/i,
    "",
  ],
  [
    "204 has neither length nor body (RFC 9110 §8.6)",
    get(),
    () => new Response(null, { status: 204 }),
    /^HTTP\/1\.1 204 (?!.*content-length)(?!.*transfer-encoding)/is,
    "",
  ],
  [
    "304 has neither length nor body",
    get(),
    () => new Response(null, { status: 304, headers: { "Content-Length": "7" } }),
    /^HTTP\/1\.1 304 (?!.*content-length)(?!.*transfer-encoding)/is,
    "",
  ],
  [
    "a stream comes in chunks (RFC 9112 §7.1)",
    get(),
    () => new Response(pieces("one", "three")),
    /transfer-encoding: chunked/i,
    "3\r\none\r\n5\r\nthree\r\n0\r\n\r\n",
  ],
  [
    "a stream to HTTP/1.0 ends with the connection (RFC 9112 §6.1)",
    get("1.0"),
    () => new Response(pieces("one", "three")),
    /^(?!.*transfer-encoding)(?!.*content-length)/is,
    "onethree",
  ],
  [
    "a stream whose length is told comes as it is",
    get(),
    () => new Response(pieces("one", "three"), { headers: { "Content-Length": "8" } }),
    /content-length: 8/i,
    "onethree",
  ],
  [
    "a stream that ends at once has length 0",
    get(),
    () => new Response(stream((controller) => controller.close())),
    /content-length: 0/i,
    "",
  ],
];

/** Answers that cannot be given; what is reported says why. */
const WRONG: [name: string, answer: () => Response, why: RegExp][] = [
  [
    "a status that is not final",
    () => Object.defineProperty(new Response(null), "status", { value: 103 }),
    /onRequest failed: it gave a Response of status 103/,
  ],
  [
    "a body that fails at once",
    () => new Response(stream((controller) => controller.error(new Error("no disk")))),
    /onRequest failed: no disk/,
  ],
  [
    "a body that is in use",
    () => {
      const response = new Response("12345");
      response.body!.getReader();
      return response;
    },
    /onRequest failed/,
  ],
  [
    "a body of something else than bytes",
    () => new Response(stream((controller) => controller.enqueue("text" as unknown as Uint8Array))),
    /onRequest failed/,
  ],
];

/** One path for each kind of socket. */
const STALLED = [true, false].flatMap((secure) =>
  bytePaths.filter((it) => it.secure === secure).slice(0, 1)
);

/** Reads so many bytes a millisecond. */
async function readSlowly(client: RawClient, size: number, rate: number): Promise<number> {
  let got = 0;
  const { socket } = client;
  socket.removeAllListeners("data");
  const done = Promise.withResolvers<void>();
  socket.on("data", (chunk: Uint8Array) => {
    got += chunk.length;
    if (got >= size) return done.resolve();
    client.pause();
    setTimeout(() => client.resume(), chunk.length / rate);
  });
  socket.on("close", () => done.resolve());
  await patiently(done.promise, "a slow reader's response");
  return got;
}

async function answering(
  path: (typeof bytePaths)[number],
  onRequest: Answer,
  options: WebSocketServerOptions = {},
): Promise<[Served<WebSocketConnection>, RawClient]> {
  const served = await serveOver(path, { onRequest, ...options });
  return [served, await connectOver(path, served.url)];
}

for (const path of bytePaths) {
  describe(`a plain response over ${path.name}`, () => {
    for (const [name, request, answer, expectedHead, expectedBody] of FRAMED) {
      it(name, async () => {
        const [served, client] = await answering(path, answer);
        await using _served = served;
        using _client = client;
        client.write(request);
        const [head, body] = await whole(client);
        assertMatch(head, expectedHead);
        assertMatch(head, /connection: close/i);
        assertEquals(body, expectedBody);
        assertEquals(served.errors, []);
      });
    }

    for (const [name, answer, why] of WRONG) {
      it(`${name} is 500, and the error is told`, async () => {
        const [served, client] = await answering(path, answer);
        await using _served = served;
        using _client = client;
        client.write(get());
        const { status, body } = await client.response();
        assertEquals([status, body], [500, "Internal Server Error\n"]);
        assertEquals(served.errors.length, 1);
        assertMatch(served.errors[0].message, why);
      });
    }

    it("the head goes out before a body that takes its time, as a stream of events does", async () => {
      const gate = Promise.withResolvers<void>();
      const body = stream(async (controller) => {
        await gate.promise;
        controller.enqueue(bytes("event"));
        controller.close();
      });
      const [served, client] = await answering(path, () => new Response(body));
      await using _served = served;
      using _client = client;
      client.write(get());
      assertEquals((await client.response(true)).status, 200);
      gate.resolve();
      await client.end();
      assertEquals(client.received.toString(), "5\r\nevent\r\n0\r\n\r\n");
    });

    it("a body that fails in the midst is cut off, so that nobody takes it for whole", async () => {
      const parts = ["part"];
      const [served, client] = await answering(
        path,
        () =>
          new Response(stream(async (controller) => {
            await new Promise((resolve) => setTimeout(resolve, 5));
            const part = parts.shift();
            if (part === undefined) throw new Error("no disk");
            controller.enqueue(bytes(part));
          })),
      );
      await using _served = served;
      using _client = client;
      client.write(get());
      const [, body] = await whole(client);
      assert(!body.includes("0\r\n\r\n"));
      assertMatch(served.errors[0].message, /no disk/);
    });

    it("a body longer than its Content-Length is cut off", async () => {
      const answer = () =>
        new Response(pieces("one", "three"), { headers: { "Content-Length": "5" } });
      const [served, client] = await answering(path, answer);
      await using _served = served;
      using _client = client;
      client.write(get());
      const [, body] = await whole(client);
      assert(body.length <= 5);
      assertMatch(served.errors[0].message, /Content-Length/);
    });

    it("a slow reader gets all of it, however long that takes", () =>
      inTime(0.3, async (seconds) => {
        const size = 6_000_000;
        const options = { closeTimeout: seconds };
        const answer = () => new Response(new Uint8Array(size));
        const [served, client] = await answering(path, answer, options);
        await using _served = served;
        using _client = client;
        client.write(get());
        const began = performance.now();
        assert(await readSlowly(client, size, 4000) >= size);
        assert(performance.now() - began > 600, "it was slow");
      }));

    it("a peer that has left has the stream cancelled, and nothing is pulled any more", async () => {
      const cancelled = Promise.withResolvers<void>();
      let pulled = 0;
      const [served, client] = await answering(
        path,
        () =>
          new Response(stream(async (controller) => {
            pulled++;
            await new Promise((resolve) => setTimeout(resolve, 1));
            controller.enqueue(new Uint8Array(1000));
          }, cancelled.resolve)),
      );
      await using _served = served;
      client.write(get());
      await once(client.socket, "data");
      client.socket.destroy();
      await patiently(cancelled.promise, "the cancelling of a body");
      const before = pulled;
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert(pulled <= before + 1);
    });

    it("a peer that has left while nothing is written has it cancelled after closeTimeout", async () => {
      const cancelled = Promise.withResolvers<void>();
      let first = true;
      const answer = () =>
        new Response(stream((controller) => {
          if (!first) return new Promise<void>(() => {});
          first = false;
          controller.enqueue(bytes("event"));
        }, cancelled.resolve));
      const [served, client] = await answering(path, answer, { closeTimeout: 0.2 });
      await using _served = served;
      client.write(get());
      await once(client.socket, "data");
      client.socket.destroy();
      await patiently(cancelled.promise, "the cancelling of a body");
    });

    const untold = runtime !== "bun" && path.secure && path.sockets === "node" &&
      "the reset of a node:tls socket may be told of as an end";
    it(
      "a peer lost while the handler is at work has the body cancelled",
      { skip: untold },
      async () => {
        const ends = new Journal<number>();
        const cancelled = Promise.withResolvers<void>();
        const asked = Promise.withResolvers<void>();
        const options: WebSocketServerOptions = {
          onConnect: (_server, connection) =>
            void connection.on({ disconnect: (_connection, code) => ends.add(code) }),
        };
        const [served, client] = await answering(path, async () => {
          asked.resolve();
          await ends.next();
          return new Response(stream(() => {}, cancelled.resolve));
        }, options);
        await using _served = served;
        client.write(get());
        await asked.promise;
        client.reset();
        await patiently(cancelled.promise, "the cancelling of a body");
      },
    );

    // It takes a while: what the system holds is given time to arrive.
    const skip = !STALLED.includes(path) && "the others take as long";
    it("a peer that reads nothing has little pulled, and is dropped", { skip }, async () => {
      const cancelled = Promise.withResolvers<void>();
      const piece = 256 * 1024;
      let pulled = 0;
      const answer = () =>
        new Response(stream((controller) => {
          pulled++;
          controller.enqueue(new Uint8Array(piece));
        }, cancelled.resolve));
      const [served, client] = await answering(path, answer, { closeTimeout: 0.1 });
      await using _served = served;
      using _client = client;
      client.pause();
      client.write(get());
      await patiently(cancelled.promise, "the cancelling of a body");
      assert(pulled * piece < 40 * 1024 * 1024, `${pulled} pieces were pulled`);
    });
  });
}
