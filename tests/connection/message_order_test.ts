import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import { connect } from "../../client/mod.ts";
import { type WebSocketConnection, WebSocketError, WebSocketServer } from "../../mod.ts";
import { Delivery } from "../../src/connection/delivery.ts";
import type { Channel } from "../../src/transport/channel.ts";
import { Traffic } from "../../src/transport/traffic.ts";
import { clientFrame, closeBytes, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient } from "../support/raw_client.ts";
import { handling, serve, transports } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

/** Handlers for text: "?…" makes them ask the other side, and wait for the text that comes next. */
function asking(): (connection: WebSocketConnection, data: string) => Promise<void> | void {
  let answered: ((answer: string) => void) | undefined;
  return (connection, data) => {
    if (answered !== undefined) {
      answered(data);
      answered = undefined;
      return;
    }
    const answer = new Promise<string>((resolve) => answered = resolve);
    connection.send("sure?");
    return answer.then((text) => void connection.send(`done: ${text}`));
  };
}

/** Handlers whose promises the test settles by the text of their message. */
class Gates {
  readonly begun = new Journal<string>();
  readonly #open = new Map<string, () => void>();

  readonly utf8 = (_connection: unknown, data: string): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#open.set(data, resolve);
    this.begun.add(data);
    return promise;
  };

  open(data: string): void {
    this.#open.get(data)!();
  }
}

/** Has messages dealt with that came before: a ping and its pong take the same way. */
async function pass(url: string): Promise<void> {
  const { socket, pongs, end } = await openWs(url);
  socket.ping();
  await pongs.next();
  socket.close();
  await end();
}

function texts(...data: string[]): Uint8Array {
  return concat(...data.map((it) => clientFrame(1, it)));
}

const concurrent = { messageOrder: "concurrent" } as const;

for (const variant of transports) {
  describe(`messageOrder over ${variant.name}`, () => {
    it('"concurrent": a handler may ask the client and wait for its answer', async () => {
      await using served = await serve(variant, { ...handling({ utf8: asking() }), ...concurrent });
      const { socket, messages, end } = await openWs(served.url);
      socket.send("delete it");
      assertEquals(await messages.next(), "sure?");
      socket.send("yes");
      assertEquals(await messages.next(), "done: yes");
      socket.close();
      await end();
    });

    it('"concurrent": ready may ask too', async () => {
      const handler = asking();
      await using served = await serve(variant, {
        ...handling({ ready: (connection) => handler(connection, ""), utf8: handler }),
        ...concurrent,
      });
      const { socket, messages, end } = await openWs(served.url);
      assertEquals(await messages.next(), "sure?");
      socket.send("yes");
      assertEquals(await messages.next(), "done: yes");
      socket.close();
      await end();
    });

    it('"concurrent": handlers begin in the order of the messages, up to the bound', async () => {
      const gates = new Gates();
      await using served = await serve(variant, {
        ...handling({ utf8: gates.utf8 }),
        ...concurrent,
        maxConcurrentMessages: 2,
      });
      using client = await RawClient.open(served.url);
      client.write(texts("a", "b", "c", "d"));
      assertEquals(await gates.begun.first(2), ["a", "b"]);
      await pass(served.url);
      assertEquals(gates.begun.entries, ["a", "b"]);
      gates.open("b");
      assertEquals(await gates.begun.first(3), ["a", "b", "c"]);
      gates.open("a");
      assertEquals(await gates.begun.first(4), ["a", "b", "c", "d"]);
    });

    it('"concurrent": disconnect comes after the messages before it', async () => {
      const gates = new Gates();
      const told = gates.begun;
      await using served = await serve(variant, {
        ...handling({
          utf8: gates.utf8,
          disconnect: (_connection, code) => told.add(`${code}`),
        }),
        ...concurrent,
        maxConcurrentMessages: 1,
      });
      using client = await RawClient.open(served.url);
      client.write(concat(texts("a", "b"), clientFrame(8, closeBytes(4001))));
      assertEquals(await client.closeCode(), 4001);
      assertEquals(told.entries, ["a"]);
      gates.open("a");
      assertEquals(await told.first(3), ["a", "b", "4001"]);
    });

    it('"serial", the default: a handler that asks waits for itself', async () => {
      await using served = await serve(variant, handling({ utf8: asking() }));
      const { socket, messages, end } = await openWs(served.url);
      socket.send("delete it");
      assertEquals(await messages.next(), "sure?");
      socket.send("yes");
      await pass(served.url);
      assertEquals(messages.entries.length, 1);
      socket.close();
      await end();
    });

    it("a client's connection has the choice too", async () => {
      await using served = await serve(
        variant,
        handling({
          ready: (connection) => void connection.send("delete it"),
          utf8: (connection, data) => {
            if (data === "sure?") connection.send("yes");
            else connection.disconnect(1000, data);
          },
        }),
      );
      const end = new Journal<string>();
      await connect(served.url, {
        ...concurrent,
        handlers: {
          utf8: asking(),
          disconnect: (_connection, _code, reason) => end.add(reason),
        },
      });
      assertEquals(await end.next(), "done: yes");
    });
  });
}

/** A delivery with a channel that only notes whether it is read. */
function deliver(options: { maxConcurrentMessages: number; maxBufferedAmount: number }) {
  const gates = new Gates();
  const reading: string[] = [];
  const delivery = new Delivery({
    connection: {},
    host: { highWaterMark: 1000, warn: () => {}, traffic: new Traffic(), ...options },
    answerPing: () => {},
    delivered: () => {},
    fail: (error) => void reading.push(`fail ${error.closeCode}`),
    report: (error) => reading.push(error.message),
  });
  delivery.handlers.utf8 = gates.utf8;
  delivery.open({
    pause: () => void reading.push("pause"),
    resume: () => void reading.push("resume"),
  } as Channel);
  return { delivery, gates, reading };
}

describe("what concurrent handlers hold", () => {
  it("keeps the bounds in bytes on what waits: highWaterMark, then maxBufferedAmount", async () => {
    const { delivery, gates, reading } = deliver({
      maxConcurrentMessages: 2,
      maxBufferedAmount: 3000,
    });
    const sized = (name: string) => name.padEnd(500, ".");
    for (const name of ["a", "b", "c"]) delivery.text(sized(name));
    assertEquals([gates.begun.entries.length, reading], [2, []]);
    delivery.text(sized("d"));
    assertEquals(reading, ["pause"]);
    gates.open(sized("a"));
    assertEquals(await gates.begun.first(3), ["a", "b", "c"].map(sized));
    gates.open(sized("b"));
    await gates.begun.first(4);
    assertEquals(reading, ["pause", "resume"]);
    for (let i = 0; i < 5; i++) delivery.text(sized("more"));
    assertEquals(reading, ["pause", "resume", "pause", "fail 1013"]);
  });

  it("has the next message wait while those with handlers have over maxBufferedAmount bytes", async () => {
    const { delivery, gates } = deliver({ maxConcurrentMessages: 100, maxBufferedAmount: 900 });
    for (const name of ["a", "b", "c"]) delivery.text(name.padEnd(500));
    assertEquals(gates.begun.entries.length, 2);
    gates.open("a".padEnd(500));
    assertEquals((await gates.begun.first(3))[2], "c".padEnd(500));
  });
});

describe("the bound on messages at once", () => {
  it("is refused where they come one after the other, for servers and clients", async () => {
    const bound = { maxConcurrentMessages: 5 };
    const message =
      'Cannot use maxConcurrentMessages 5: it takes nothing without messageOrder: "concurrent"';
    assertThrows(() => new WebSocketServer(bound), WebSocketError, message);
    await assertRejects(() => connect("ws://127.0.0.1:9", bound), WebSocketError, message);
  });

  it("is at least one, and the order one of two", () => {
    const bad = [{ ...concurrent, maxConcurrentMessages: 0 }, { messageOrder: "any" as "serial" }];
    for (const options of bad) assertThrows(() => new WebSocketServer(options), WebSocketError);
  });
});

/** What is logged as a warning, without the address before it. */
function warnings() {
  const told = new Journal<string>();
  const logger = {
    debug() {},
    info() {},
    warn: (message: string) => told.add(message.replace(/^[\d.:]+: /, "")),
    error: (message: string) => told.add(message),
  };
  return { told, options: { debug: 2 as const, logger } };
}

const HELD =
  "Cannot deliver messages for 10 s now: no promise of a handler that runs has settled. ";
const ASKS =
  'Where it waits for a later message, as for the answer to a question, use messageOrder: "concurrent"';
const MANY = "Have them settle sooner, or raise maxConcurrentMessages";

describe("a handler that holds its connection for 10 s", () => {
  it("is logged once, with what to do; one that reads with recv() is not", async () => {
    const never = () => new Promise<void>(() => {});
    const serial = warnings(), full = warnings(), reader = warnings(), client = warnings();
    const checks = transports.map(async (variant) => {
      await using held = await serve(variant, {
        ...handling({ utf8: never }),
        ...serial.options,
      });
      await using filled = await serve(variant, {
        ...handling({ utf8: never }),
        ...full.options,
        ...concurrent,
        maxConcurrentMessages: 2,
      });
      const reads = new Journal<unknown>();
      await using read = await serve(variant, {
        ...handling({
          async ready(connection) {
            for await (const data of connection) reads.add(data);
          },
        }),
        ...reader.options,
      });
      await using asked = await serve(variant, {
        ...handling({ ready: (connection) => void connection.send("hello") }),
      });
      const connection = await connect(asked.url, { ...client.options, handlers: { utf8: never } });
      using one = await RawClient.open(held.url);
      using two = await RawClient.open(filled.url);
      using three = await RawClient.open(read.url);
      for (const it of [one, two, three]) it.write(texts("a", "b", "c"));
      const { length } = transports;
      assertEquals(await serial.told.first(length), new Array(length).fill(HELD + ASKS));
      assertEquals(await full.told.first(length), new Array(length).fill(HELD + MANY));
      assertEquals(await client.told.first(length), new Array(length).fill(HELD + ASKS));
      await reads.first(3);
      assertEquals(reader.told.entries, []);
      connection.terminate();
    });
    await Promise.all(checks);
  });
});
