import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { PassThrough, Writable } from "node:stream";
import { describe, it } from "node:test";
import type { WatchedWriter, WebSocketError } from "../../mod.ts";
import { Journal } from "../support/journal.ts";
import { serve, transports } from "../support/transports.ts";
import { assertInvalid, errorOf } from "../support/unsupported.ts";

/** A sink of Node's that takes one piece at a time, each when the test says so. */
class SlowNodeSink extends Writable {
  readonly taken = new Journal<string>();
  #go: (() => void)[] = [];

  constructor() {
    super({ highWaterMark: 2 });
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.taken.add(String(chunk));
    this.#go.push(done);
  }

  takeAll(): void {
    for (const go of this.#go.splice(0)) go();
  }
}

/** The same of the web. */
function slowWebSink() {
  const taken = new Journal<string>();
  const going: (() => void)[] = [];
  const sink = new WritableStream<string>({
    write(chunk) {
      taken.add(chunk);
      return new Promise((resolve) => going.push(resolve));
    },
  }, { highWaterMark: 2 });
  return { sink, taken, takeAll: () => going.splice(0).forEach((go) => go()) };
}

for (const variant of transports) {
  describe(`watchWritable over ${variant.name}`, () => {
    it("a node:stream Writable: once when it can take data, again each time after it was full", async () => {
      await using served = await serve(variant);
      const sink = new SlowNodeSink();
      const calls = new Journal<unknown[]>();
      const watching = served.server.watchWritable(sink, (...args) => {
        calls.add(args);
        sink.write("ab");
        sink.write("c");
      });
      assertStrictEquals(watching, served.server);
      const [server, given, writer] = await calls.next();
      assertEquals([server === served.server, given === sink, writer], [true, true, undefined]);
      assertEquals(await sink.taken.next(), "ab");
      await new Promise((resolve) => setImmediate(resolve));
      assertEquals(calls.entries.length, 1, "full since");
      sink.takeAll();
      assertEquals(await sink.taken.next(), "c");
      sink.takeAll();
      await calls.next();
      served.server.unwatchWritable(sink);
      sink.destroy();
    });

    it("a web WritableStream, or an object with one: the same, written through the writer", async () => {
      for (const wrapped of [false, true]) {
        await using served = await serve(variant);
        const { sink, taken, takeAll } = slowWebSink();
        const given = wrapped ? { writable: sink } : sink;
        const calls = new Journal<WatchedWriter>();
        served.server.watchWritable(given, (server, source, writer) => {
          assertEquals([server === served.server, source === given], [true, true]);
          calls.add(writer!);
          if (calls.entries.length > 1) return;
          for (const text of ["one", "two"]) void writer!.write(text);
        });
        await calls.next();
        assertEquals(await taken.next(), "one");
        await new Promise((resolve) => setImmediate(resolve));
        assertEquals(calls.entries.length, 1, "full since");
        takeAll();
        assertEquals(await taken.next(), "two");
        takeAll();
        await calls.next();
      }
    });

    it("a socket of node:net, given as an option, takes more than it can hold", async () => {
      const size = 8 * 1024 * 1024;
      const received = Promise.withResolvers<number>();
      const sinkhole = createServer((socket) => {
        let sum = 0;
        socket.on("data", ({ length }) => {
          sum += length;
          if (sum >= size) received.resolve(sum);
        });
      }).listen(0, "127.0.0.1");
      await once(sinkhole, "listening");
      const { port } = sinkhole.address() as { port: number };
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect");
      const piece = new Uint8Array(64 * 1024);
      let sent = 0;
      let calls = 0;
      await using _served = await serve(variant, {
        watchWritable: [socket, () => {
          calls++;
          while (sent < size) {
            sent += piece.length;
            if (!socket.write(piece)) break;
          }
        }],
      });
      assertEquals(await received.promise, size);
      assert(calls > 1, "it was full in between");
      socket.destroy();
      sinkhole.close();
    });

    it("watchedWritable gives the callback of one, or all pairs; unwatchWritable frees", async () => {
      await using served = await serve(variant);
      const { server } = served;
      const [node, web] = [new PassThrough(), new WritableStream()];
      const [a, b] = [() => {}, () => {}];
      server.watchWritable(node, a, web, b);
      assertStrictEquals(server.watchedWritable(web), b);
      assertEquals(server.watchedWritable(new PassThrough()), undefined);
      const pairs = server.watchedWritable();
      assertEquals(pairs.map(([sink, callback]) => [sink === web, callback]), [[false, a], [
        true,
        b,
      ]]);
      assertEquals(web.locked, true);
      assertStrictEquals(server.unwatchWritable(web, node), server);
      assertEquals([server.watchedWritable(), web.locked], [[], false]);
    });

    it("unwatched in its callback, a sink is not told of again", async () => {
      await using served = await serve(variant);
      const sink = new SlowNodeSink();
      const calls = new Journal<number>();
      served.server.watchWritable(sink, (server, sink) => {
        calls.add(1);
        sink.write("abc");
        server.unwatchWritable(sink);
      });
      await calls.next();
      const drained = once(sink, "drain");
      sink.takeAll();
      await drained;
      await new Promise((resolve) => setImmediate(resolve));
      assertEquals([calls.entries.length, sink.listenerCount("drain")], [1, 0]);
    });

    it("callbacks that fail are reported; sinks that end or fail are freed, and the latter reported", async () => {
      const errors = new Journal<Error>();
      await using served = await serve(variant, { onError: (_server, error) => errors.add(error) });
      const { server } = served;
      const fail = () => {
        throw new Error("no more");
      };
      const [node, ending] = [new PassThrough(), new PassThrough()];
      const web = new WritableStream({ write: () => Promise.reject(new Error("unplugged")) });
      server.watchWritable(node, fail);
      const { code, cause } = await errors.next() as WebSocketError;
      assertEquals([code, (cause as Error).message], ["ERR_HANDLER", "no more"]);
      server.watchWritable(ending, () => {});
      ending.end();
      node.destroy(new Error("unplugged"));
      assertEquals((await errors.next() as WebSocketError).code, "ERR_STATE");
      server.watchWritable(web, async (_server, _sink, writer) => {
        await writer!.write("x").catch((error) => assertEquals(error.message, "unplugged"));
      });
      assertEquals(((await errors.next()).cause as Error).message, "unplugged");
      assertEquals(server.watchedWritable(), []);
    });

    it("what cannot be watched throws, and what others write does", async () => {
      await using served = await serve(variant);
      const { server } = served;
      assertInvalid(() => server.watchWritable({} as never, () => {}), /Writable/);
      assertInvalid(() => server.watchWritable(new PassThrough(), 5 as never), /callback/);
      const taken = new WritableStream();
      taken.getWriter();
      assertEquals(errorOf(() => server.watchWritable(taken, () => {})).code, "ERR_STATE");
      assertEquals(server.watchedWritable(), []);
    });
  });
}
