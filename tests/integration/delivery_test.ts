import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { describe, it } from "node:test";
import {
  type ConnectionHandlers,
  type WebSocketConnection,
  WebSocketError,
  type WebSocketServerOptions,
} from "../../mod.ts";
import { clientFrame, closeBytes, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient } from "../support/raw_client.ts";
import { handling, serve, transports } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

type Message = string | Uint8Array;

/** Has another client be heard and answered: whatever came before it has been dealt with by then. */
async function pass(url: string): Promise<void> {
  const { socket, pongs, end } = await openWs(url);
  socket.ping();
  await pongs.next();
  socket.close();
  await end();
}

/** A handler whose promises the test settles, one by one. */
class Gate {
  readonly came = new Journal<Message>();
  readonly #settle: (() => void)[] = [];

  readonly handler = (_connection: WebSocketConnection, data: Message): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#settle.push(resolve);
    this.came.add(data);
    return promise;
  };

  open(): void {
    this.#settle.shift()?.();
  }
}

for (const variant of transports) {
  describe(`delivery over ${variant.name}`, () => {
    it("keeps the order of texts and bytes (RFC 6455 §5.4)", async () => {
      const came = new Journal<Message>();
      await using served = await serve(
        variant,
        handling({ message: (_connection, data) => came.add(data) }),
      );
      using client = await RawClient.open(served.url);
      const sent = Array.from(
        { length: 2000 },
        (_, i) => i % 3 ? `text ${i}` : new Uint8Array([i >> 8, i]),
      );
      client.write(concat(...sent.map((it) => clientFrame(typeof it === "string" ? 1 : 2, it))));
      assertEquals(await came.first(2000), sent);
    });

    it("calls utf8 or binary first, then message", async () => {
      const calls = new Journal<string>();
      await using served = await serve(
        variant,
        handling({
          utf8: (_connection, data) => calls.add(`utf8 ${data}`),
          binary: (_connection, data) => calls.add(`binary ${data}`),
          message: (_connection, data) => calls.add(`message ${data}`),
        }),
      );
      using client = await RawClient.open(served.url);
      client.write(concat(clientFrame(1, "a"), clientFrame(2, Uint8Array.of(7))));
      assertEquals(await calls.first(4), ["utf8 a", "message a", "binary 7", "message 7"]);
    });

    it("waits for the promise of a handler before it delivers the next message", async () => {
      const gate = new Gate();
      await using served = await serve(variant, handling({ message: gate.handler }));
      using client = await RawClient.open(served.url);
      client.write(concat(clientFrame(1, "one"), clientFrame(2, Uint8Array.of(2))));
      assertEquals(await gate.came.next(), "one");
      client.write(clientFrame(1, "three"));
      await pass(served.url);
      assertEquals(gate.came.entries, ["one"]);
      gate.open();
      assertEquals(await gate.came.next(), Uint8Array.of(2));
      await pass(served.url);
      assertEquals(gate.came.entries.length, 2);
      gate.open();
      assertEquals(await gate.came.next(), "three");
      gate.open();
    });

    it("waits for the promise of ready, too", async () => {
      const gate = new Gate();
      const messages = new Journal<string>();
      await using served = await serve(
        variant,
        handling({
          ready: (connection) => {
            const first = gate.came.entries.length === 0;
            return first ? gate.handler(connection, "ready") : undefined;
          },
          utf8: (_connection, data) => messages.add(data),
        }),
      );
      using client = await RawClient.open(served.url);
      client.write(clientFrame(1, "early"));
      await gate.came.next();
      await pass(served.url);
      assertEquals(messages.entries, []);
      gate.open();
      assertEquals(await messages.next(), "early");
    });

    it("holds up nobody else when a handler never settles", async () => {
      const stuck = new Journal<string>();
      await using served = await serve(
        variant,
        handling({
          utf8(connection, data) {
            if (data !== "stuck") return void connection.sendUtf8(data);
            stuck.add(data);
            return new Promise(() => {});
          },
        }),
      );
      using victim = await RawClient.open(served.url);
      victim.write(concat(clientFrame(1, "stuck"), clientFrame(1, "never seen")));
      await stuck.next();
      const { socket, messages, end } = await openWs(served.url);
      for (let i = 0; i < 100; i++) {
        socket.send(`${i}`);
        assertEquals(await messages.next(), `${i}`);
      }
      socket.close();
      await end();
      assertEquals(victim.received.length, 0);
    });

    it("delivers what came before the Close first, to slow handlers too (§5.5.1)", async () => {
      const course = new Journal<string>();
      await using served = await serve(
        variant,
        handling({
          async utf8(_connection, data) {
            course.add(data);
            await new Promise((resolve) => setImmediate(resolve));
          },
          disconnect: (_connection, code) => course.add(`${code}`),
        }),
      );
      using client = await RawClient.open(served.url);
      const texts = ["a", "b", "c", "d", "e"];
      client.write(
        concat(...texts.map((it) => clientFrame(1, it)), clientFrame(8, closeBytes(1000))),
      );
      assertEquals(await course.first(6), [...texts, "1000"]);
    });

    it("stops at conn.pause() and goes on at conn.resume()", async () => {
      const connections = new Journal<WebSocketConnection>();
      const messages = new Journal<string>();
      await using served = await serve(
        variant,
        handling({
          ready: connections.add,
          utf8(connection, data) {
            if (data === "b") connection.pause();
            messages.add(data);
          },
        }),
      );
      using client = await RawClient.open(served.url);
      const connection = await connections.next();
      client.write(concat(...["a", "b", "c", "d"].map((it) => clientFrame(1, it))));
      await messages.first(2);
      client.write(clientFrame(1, "e"));
      await pass(served.url);
      assertEquals(messages.entries, ["a", "b"]);
      connection.resume();
      assertEquals(await messages.first(5), ["a", "b", "c", "d", "e"]);
      connection.pause();
      connection.disconnect(1000);
      client.write(clientFrame(8, closeBytes(1000)));
      assertEquals(await client.closeCode(), 1000, "a paused connection can be closed");
      await client.end();
    });
  });

  describe(`handlers that fail over ${variant.name}`, () => {
    const controls = variant.engine === "Deno.serve" ? [] : ["ping", "pong"] as const;
    const frames: Record<string, Uint8Array> = {
      ready: new Uint8Array(),
      utf8: clientFrame(1, "x"),
      binary: clientFrame(2, "x"),
      message: clientFrame(1, "x"),
      ping: clientFrame(9, "x"),
      pong: clientFrame(10, "x"),
    };
    for (const event of ["ready", "utf8", "binary", "message", ...controls] as const) {
      for (const way of ["throws", "rejects"]) {
        it(`${event} that ${way} is reported once, and the connection goes on`, async () => {
          const told = new Journal<[Error, WebSocketConnection | undefined]>();
          const errors = new Journal<Error>();
          const echoed = event === "binary" ? "utf8" : "binary";
          let calls = 0;
          const fail = (): void | Promise<void> => {
            if (calls++ > 0) return;
            if (way === "rejects") return Promise.reject(new Error("my fault"));
            throw new Error("my fault");
          };
          const options: WebSocketServerOptions = {
            ...handling({
              [echoed]: (connection: WebSocketConnection, data: Message) =>
                void connection.send(data),
              error: (_connection, error) => errors.add(error),
              [event]: fail,
            } as ConnectionHandlers<WebSocketConnection>),
            onError: (_server, error, connection) => told.add([error, connection]),
          };
          await using served = await serve(variant, options);
          using client = await RawClient.open(served.url);
          client.write(concat(frames[event], clientFrame(echoed === "utf8" ? 1 : 2, "on")));
          const frame = await client.frame();
          assertEquals((frame?.opcode === 10 ? await client.frame() : frame)?.payload + "", "on");
          const [error, connection] = await told.next();
          assertInstanceOf(error, WebSocketError);
          assertEquals([error.code, (error.cause as Error).message], ["ERR_HANDLER", "my fault"]);
          assertEquals([connection?.isReady, connection?.error], [true, error]);
          assertEquals(served.server.error, error);
          assertEquals([told.entries.length, errors.entries], [1, [error]]);
        });
      }
    }

    it("disconnect that throws is reported, and the server goes on", async () => {
      const told = new Journal<Error>();
      await using served = await serve(variant, {
        ...handling({
          disconnect() {
            throw new Error("my fault");
          },
        }),
        onError: (_server, error) => told.add(error),
      });
      using client = await RawClient.open(served.url);
      client.write(clientFrame(8));
      assertEquals((await told.next() as WebSocketError).code, "ERR_HANDLER");
      await pass(served.url);
    });

    it("error and onError that fail are not told of again", async () => {
      let calls = 0;
      const broken = (): Promise<void> => {
        calls++;
        if (calls % 2) throw new Error("again");
        return Promise.reject(new Error("again"));
      };
      const options = handling({
        utf8(connection, data) {
          if (data !== "fail") return void connection.sendUtf8(data);
          throw new Error("first");
        },
        error: broken,
      });
      await using served = await serve(variant, { ...options, onError: broken });
      using client = await RawClient.open(served.url);
      client.write(concat(clientFrame(1, "fail"), clientFrame(1, "on")));
      assertEquals((await client.frame())?.payload.toString(), "on");
      assertEquals(calls, 2);
    });
  });

  describe(`the bytes that binary is given over ${variant.name}`, () => {
    /** Sizes on both sides of buffers and of copying. */
    const sizes = [1, 10, 1000, 4096, 16_384, 65_536, 200_000];
    const messages = Array.from({ length: 70 }, (_, i) => {
      return new Uint8Array(sizes[i % sizes.length]).fill(i + 1);
    });
    const extensions = variant.engine === "Deno.serve" ? [[]] : [[], ["permessage-deflate"]];
    for (const list of extensions) {
      it(`are its own: later messages do not change them (${list[0] ?? "as they are"})`, async () => {
        const kept = new Journal<Uint8Array>();
        await using served = await serve(variant, {
          ...handling({ binary: (_connection, data) => kept.add(data) }),
          extensions: list,
        });
        const { socket, end } = await openWs(served.url, {
          perMessageDeflate: list.length > 0 && { threshold: 0 },
        });
        for (const message of messages) socket.send(message);
        await kept.first(messages.length);
        kept.entries.forEach((it, i) => {
          assertInstanceOf(it, Uint8Array);
          assertEquals(it.constructor, Uint8Array, "no subclass, whose methods differ");
          assertEquals(it.length, messages[i].length);
          assert(it.every((byte) => byte === i + 1), `message ${i} has changed`);
        });
        // And the other way round: what it does with them reaches nobody else's.
        kept.entries[0].fill(255);
        assert(kept.entries.slice(1).every((it, i) => it[0] === i + 2));
        socket.close();
        await end();
      });
    }
  });
}
