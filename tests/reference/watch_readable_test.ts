import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { PassThrough, Readable } from "node:stream";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { ReadableSource, WebSocketError } from "../../mod.ts";
import { Journal } from "../support/journal.ts";
import { runtime, serve, transports } from "../support/transports.ts";
import { assertInvalid, errorOf } from "../support/unsupported.ts";
import { openWs } from "../support/ws_client.ts";

/** The parts of the runtimes' own APIs that give something to watch. */
interface Runtimes {
  Deno: {
    connect(options: { hostname: string; port: number }): Promise<Closable>;
    open(path: string): Promise<Closable>;
    Command: new (path: string, options: { args: string[]; stdout: "piped" }) => {
      spawn(): { stdout: ReadableStream };
    };
  };
  Bun: {
    file(path: string): { stream(): ReadableStream };
    spawn(command: string[]): { stdout: ReadableStream };
  };
}
type Closable = { readonly readable: ReadableStream };
const { Deno, Bun } = globalThis as unknown as Runtimes;

const PROGRAM = fileURLToPath(new URL("print.ts", import.meta.url));
/** What stands before a program's name. */
const RUN = runtime === "node" ? ["--disable-warning=ExperimentalWarning"] : ["run"];
const SAID = "one\ntwo\n";

/** Watches a source until it is freed; gives all that was read, as text. */
async function readThrough(source: ReadableSource): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  await using served = await serve(transports[1]);
  const { server } = served;
  const ended = new Journal<unknown>();
  server.watchReadable(source, (_server, given, chunk) => {
    assertStrictEquals(given, source);
    for (const bytes of chunk === undefined ? chunksOf(given as Readable) : [chunk]) {
      text += decoder.decode(bytes as Uint8Array, { stream: true });
    }
  });
  const look = setInterval(() => {
    if (server.watchedReadable(source) === undefined) ended.add("freed");
  }, 5);
  await ended.next().finally(() => clearInterval(look));
  assertEquals(served.errors, []);
  return text;
}

function* chunksOf(stream: Readable): Generator<unknown> {
  for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) yield chunk;
}

/** A server that says something to each client and ends; given to `use` with its port. */
async function saying<T>(use: (port: number) => Promise<T>): Promise<T> {
  const server = createServer((socket) => socket.end(SAID)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return await use(port).finally(() => server.close());
}

/** A file with something in it, given to `use` by its path. */
async function written<T>(use: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "duet-"));
  const path = join(folder, "file");
  writeFileSync(path, SAID);
  return await use(path).finally(() => rmSync(folder, { recursive: true }));
}

const OF_BOTH: Record<string, () => Promise<string>> = {
  "a node:stream Readable": () => readThrough(Readable.from([SAID], { objectMode: false })),
  "a web ReadableStream": () => readThrough(new Blob([SAID]).stream()),
  "an object with a ReadableStream": () => readThrough({ readable: new Blob([SAID]).stream() }),
  "a socket of node:net": () => saying((port) => readThrough(connect(port, "127.0.0.1"))),
  "a file of node:fs": () => written((path) => readThrough(createReadStream(path))),
  "the output of a child process of node:child_process": () =>
    readThrough(spawn(process.execPath, [...RUN, PROGRAM, SAID]).stdout),
  "standard input": async () => {
    const child = spawn(process.execPath, [
      ...RUN,
      ...(runtime === "deno" ? ["--allow-net"] : []),
      PROGRAM,
    ], { stdio: ["pipe", "pipe", "inherit"] });
    child.stdin.end(SAID);
    return await readThrough(child.stdout);
  },
};

const OF_DENO: Record<string, () => Promise<string>> = {
  "a Deno.Conn": () =>
    saying(async (port) => readThrough(await Deno.connect({ hostname: "127.0.0.1", port }))),
  "a Deno.FsFile": () => written(async (path) => readThrough(await Deno.open(path))),
  "the output of a Deno.Command": () => {
    const args = ["run", PROGRAM, SAID];
    const command = new Deno.Command(process.execPath, { args, stdout: "piped" });
    return readThrough(command.spawn().stdout);
  },
};

const OF_BUN: Record<string, () => Promise<string>> = {
  "the stream of a Bun.file": () => written((path) => readThrough(Bun.file(path).stream())),
  "the output of a Bun.spawn": () =>
    readThrough(Bun.spawn([process.execPath, "run", PROGRAM, SAID]).stdout),
};

describe("watchReadable", () => {
  const kinds: Record<string, () => Promise<string>> = {
    ...OF_BOTH,
    ...{ deno: OF_DENO, bun: OF_BUN, node: {} }[runtime],
  };
  for (const [name, read] of Object.entries(kinds)) {
    it(`${name} is read to its end, and freed then`, async () => {
      assertEquals(await read(), SAID);
    });
  }
});

for (const variant of transports) {
  describe(`watchReadable over ${variant.name}`, () => {
    it("given as an option, is watched from the start on, and can be sent to all", async () => {
      const [first, second] = [new PassThrough(), new TransformStream()];
      first.write("before the start");
      const read = new Journal<string>();
      await using served = await serve(variant, {
        watchReadable: [
          first,
          (server, source) => {
            for (const chunk of chunksOf(source as Readable)) server.broadcast(String(chunk));
            read.add("read");
          },
          second.readable,
          (server, _source, chunk) => void server.broadcast(chunk as string),
        ],
      });
      await read.next();
      const { socket, messages } = await openWs(served.url);
      first.write("from Node");
      assertEquals(await messages.next(), "from Node");
      const writer = second.writable.getWriter();
      await writer.write("from the web");
      assertEquals(await messages.next(), "from the web");
      socket.terminate();
    });

    it("several at once; watchedReadable gives the callback of one, or all pairs", async () => {
      await using served = await serve(variant);
      const { server } = served;
      const sources = [new PassThrough(), new ReadableStream(), { readable: new ReadableStream() }];
      const [a, b, c] = [() => {}, () => {}, () => {}];
      assertStrictEquals(server.watchReadable(sources[0], a, sources[1], b, sources[2], c), server);
      assertStrictEquals(server.watchedReadable(sources[1]), b);
      assertEquals(server.watchedReadable(new PassThrough()), undefined);
      const pairs = server.watchedReadable();
      assertEquals(pairs.map(([, callback]) => callback), [a, b, c]);
      assert(pairs.every(([source], i) => source === sources[i]));
      assertStrictEquals(server.unwatchReadable(sources[0], sources[2], new PassThrough()), server);
      assertEquals(server.watchedReadable().map(([, callback]) => callback), [b]);
    });

    it("twice warns and is ignored", async () => {
      const warnings = new Journal<string>();
      const [warn, log] = [warnings.add, () => {}];
      await using served = await serve(variant, {
        debug: 2,
        logger: { debug: log, info: log, warn, error: warn },
      });
      const source = new PassThrough();
      const first = () => {};
      served.server.watchReadable(source, first).watchReadable(source, () => {});
      assertEquals(
        await warnings.next(),
        "Cannot watch a stream twice: the second callback is ignored",
      );
      assertStrictEquals(served.server.watchedReadable(source), first);
    });

    it("a callback that takes a part only is called again for the rest, one that takes nothing is not", async () => {
      await using served = await serve(variant);
      const source = new PassThrough();
      const read = new Journal<string>();
      served.server.watchReadable(source, (_server, source) => {
        const chunk = source.read(2);
        read.add(String(chunk));
      });
      source.write("abcdef");
      assertEquals(await read.first(3), ["ab", "cd", "ef"]);
      served.server.unwatchReadable(source);
      const calls = new Journal<number>();
      served.server.watchReadable(source, (_server, source) => calls.add(source.readableLength));
      source.write("xy");
      assertEquals(await calls.next(), 2);
      await new Promise((resolve) => setImmediate(resolve));
      assertEquals(calls.entries, [2]);
    });

    it("a callback that is async is never run twice at once", async () => {
      await using served = await serve(variant);
      const { readable, writable } = new TransformStream();
      const node = new PassThrough();
      const calls = new Journal<() => void>();
      let running = 0;
      const slow = async () => {
        running++;
        node.read();
        await new Promise<void>((resolve) => calls.add(resolve));
        running--;
      };
      const writer = writable.getWriter();
      for (
        const [source, write] of [
          [node, (text: string) => node.write(text)],
          [readable, (text: string) => void writer.write(text)],
        ] as const
      ) {
        served.server.watchReadable(source, slow);
        write("one");
        const finish = await calls.next();
        write("two");
        await new Promise((resolve) => setImmediate(resolve));
        assertEquals(running, 1);
        finish();
        const finishSecond = await calls.next();
        assertEquals(running, 1);
        finishSecond();
      }
    });

    it("one that throws or rejects is reported, and watching goes on", async () => {
      const errors = new Journal<Error>();
      await using served = await serve(variant, { onError: (_server, error) => errors.add(error) });
      const source = new PassThrough();
      let calls = 0;
      served.server.watchReadable(source, (_server, source) => {
        const text = String(source.read());
        if (calls++ % 2 === 0) throw new Error(text);
        return Promise.reject(new Error(text));
      });
      for (const text of ["one", "two", "three"]) {
        source.write(text);
        const { code, cause } = await errors.next() as WebSocketError;
        assertEquals([code, (cause as Error).message], ["ERR_HANDLER", text]);
      }
    });

    it("unwatched in its callback, a source is left to others, with what was not read", async () => {
      await using served = await serve(variant);
      const { server } = served;
      const node = new PassThrough();
      const { readable, writable } = new TransformStream(undefined, { highWaterMark: 9 });
      const writer = writable.getWriter();
      const read = new Journal<unknown>();
      server.watchReadable(node, (server, source) => {
        server.unwatchReadable(source);
        read.add(String(source.read(3)));
      });
      server.watchReadable(readable, (server, source, chunk) => {
        server.unwatchReadable(source);
        read.add(chunk);
      });
      node.write("onetwo");
      assertEquals(await read.next(), "one");
      void writer.write("eins");
      void writer.write("zwei");
      assertEquals(await read.next(), "eins");
      assertEquals(server.watchedReadable(), []);
      assertEquals(String(node.read()), "two");
      assertEquals(await readable.getReader().read(), { done: false, value: "zwei" });
    });

    it("unwatched, a web stream loses nothing: a chunk that had been read goes to the callback", async () => {
      await using served = await serve(variant);
      const { server } = served;
      let controller!: ReadableStreamDefaultController<string>;
      const source = new ReadableStream<string>({ start: (it) => void (controller = it) });
      const seen = new Journal<unknown>();
      server.watchReadable(source, (_server, _source, chunk) => seen.add(chunk));
      // The watch waits for a chunk by now, so this one is read at once.
      await new Promise((resolve) => setImmediate(resolve));
      controller.enqueue("read");
      controller.enqueue("left");
      server.unwatchReadable(source);
      const reader = source.getReader();
      assertEquals(await seen.next(), "read");
      assertEquals(await reader.read(), { done: false, value: "left" });
      controller.enqueue("later");
      assertEquals(await reader.read(), { done: false, value: "later" });
      assertEquals(seen.entries, ["read"]);
    });

    it("unwatched while it waits for a chunk, a web stream leaves that to the next reader", async () => {
      await using served = await serve(variant);
      const { server } = served;
      const { readable, writable } = new TransformStream<string, string>();
      server.watchReadable(readable, (_server, _source, chunk) => seen.add(chunk));
      const seen = new Journal<unknown>();
      await new Promise((resolve) => setImmediate(resolve));
      server.unwatchReadable(readable);
      void writable.getWriter().write("one");
      assertEquals(await readable.getReader().read(), { done: false, value: "one" });
      assertEquals(seen.entries, []);
    });

    it("a source that fails is freed and reported, one that has ended is freed", async () => {
      const errors = new Journal<Error>();
      await using served = await serve(variant, { onError: (_server, error) => errors.add(error) });
      const { server } = served;
      const [node, ended] = [new PassThrough(), new PassThrough()];
      ended.destroy();
      const web = new ReadableStream({ pull: () => Promise.reject(new Error("unplugged")) });
      server.watchReadable(ended, () => {});
      server.watchReadable(node, () => {});
      node.destroy(new Error("unplugged"));
      const { code, cause } = await errors.next() as WebSocketError;
      assertEquals([code, (cause as Error).message], ["ERR_STATE", "unplugged"]);
      server.watchReadable(web, () => {});
      assertEquals(
        (await errors.next()).message,
        "Cannot watch a stream any longer, since it failed: unplugged",
      );
      assertEquals(server.watchedReadable(), []);
      assertEquals(errors.entries.length, 2);
    });

    it("at the shutdown all are freed", async () => {
      const served = await serve(variant);
      const [node, web] = [new PassThrough(), new ReadableStream()];
      served.server.watchReadable(node, () => {}, web, () => {});
      assertEquals(web.locked, true);
      await served.server.shutdown();
      assertEquals([web.locked, node.listenerCount("readable")], [false, 0]);
      assertEquals(served.server.watchedReadable(), []);
    });

    it("what cannot be watched throws, and what others read does", async () => {
      await using served = await serve(variant);
      const { server } = served;
      const watch = (...pairs: unknown[]) => () =>
        (server.watchReadable as (...pairs: unknown[]) => void).apply(server, pairs);
      assertInvalid(watch(new PassThrough()), /each followed by its callback/);
      assertInvalid(watch(new PassThrough(), () => {}, () => {}), /each followed/);
      assertInvalid(watch({}, () => {}), /Readable/);
      assertInvalid(watch(5, () => {}), /streams/);
      const taken = new ReadableStream();
      const reader = taken.getReader();
      const { code, message } = errorOf(watch(taken, () => {}));
      assertEquals([code, /locked.*release/.test(message)], ["ERR_STATE", true]);
      const beside = new ReadableStream();
      errorOf(watch(beside, () => {}, taken, () => {}));
      assertEquals(server.watchedReadable(), [], "nothing of a call that throws is watched");
      assertEquals(beside.locked, false);
      reader.releaseLock();
      watch(taken, () => {})();
      assertEquals(server.watchedReadable().length, 1);
    });

    it("what others read by the time of the start is reported, and the server starts", async () => {
      const errors = new Journal<Error>();
      const source = new ReadableStream();
      const reader = source.getReader();
      await using served = await serve(variant, {
        watchReadable: [source, () => {}],
        onError: (_server, error) => errors.add(error),
      });
      assertEquals((await errors.next() as WebSocketError).code, "ERR_STATE");
      assertEquals(served.server.watchedReadable(), []);
      reader.releaseLock();
      await assertRejects(() => served.server.start());
    });
  });
}
