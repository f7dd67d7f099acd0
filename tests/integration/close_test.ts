import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import type { WebSocketConnection, WebSocketError, WebSocketServerOptions } from "../../mod.ts";
import { clientFrame, closeBytes, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { openNative } from "../support/native_client.ts";
import { RawClient } from "../support/raw_client.ts";
import {
  runtime,
  serve,
  type Served,
  transports,
  type Variant,
  variants,
} from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

/** A server with what its connections went through. */
interface Watched extends Served<WebSocketConnection> {
  readonly connections: Journal<WebSocketConnection>;
  readonly messages: Journal<string>;
  readonly ends: Journal<[code: number, reason: string]>;
}

async function watch(variant: Variant, options: WebSocketServerOptions = {}): Promise<Watched> {
  const connections = new Journal<WebSocketConnection>();
  const messages = new Journal<string>();
  const ends = new Journal<[number, string]>();
  const served = await serve(variant, {
    onConnect(_server, connection) {
      connection.on({
        ready: connections.add,
        utf8: (_connection, data) => messages.add(data),
        disconnect: (_connection, ...end) => ends.add(end),
      });
    },
    ...options,
  });
  return { ...served, connections, messages, ends };
}

for (const variant of variants) {
  describe(`a client's Close over ${variant.name} (RFC 6455 §5.5.1, §7.1.5)`, () => {
    for (const code of [1000, 1001, 1003, 1011, 3000, 4999]) {
      it(`${code} is echoed once, then the connection ends`, async () => {
        await using served = await watch(variant);
        using client = await RawClient.open(served.url);
        client.write(clientFrame(8, closeBytes(code, "that is all")));
        const frame = await client.frame();
        assertEquals([frame?.opcode, frame?.payload.readUInt16BE(0)], [8, code]);
        assertEquals(await client.frame(), null);
        assertEquals(await served.ends.next(), [code, "that is all"]);
        assertEquals([served.ends.entries.length, served.errors], [1, []]);
      });
    }

    it("without a code is answered without one, and told as 1005", async () => {
      await using served = await watch(variant);
      using client = await RawClient.open(served.url);
      client.write(clientFrame(8));
      assertEquals((await client.frame())?.payload.length, 0);
      assertEquals(await client.frame(), null);
      assertEquals(await served.ends.next(), [1005, ""]);
    });

    it("is answered also when the client has finished writing behind it", async () => {
      await using served = await watch(variant);
      using client = await RawClient.open(served.url);
      client.socket.end(clientFrame(8, closeBytes(1000)));
      assertEquals(await client.closeCode(), 1000);
      assertEquals(await served.ends.next(), [1000, ""]);
    });

    it("ends what is read: frames behind it are ignored (§5.5.1)", async () => {
      await using served = await watch(variant);
      using client = await RawClient.open(served.url);
      client.write(concat(
        clientFrame(1, "before"),
        clientFrame(8, closeBytes(1000)),
        clientFrame(1, "after"),
        clientFrame(8, closeBytes(4000)),
      ));
      assertEquals(await client.closeCode(), 1000);
      assertEquals(await client.frame(), null);
      assertEquals(await served.ends.next(), [1000, ""]);
      assertEquals(served.messages.entries, ["before"]);
      assertEquals(served.ends.entries.length, 1);
    });

    it("comes from ws and from the runtime's own WebSocket", async () => {
      await using served = await watch(variant);
      const ws = await openWs(served.url);
      ws.socket.close(4001, "ws");
      assertEquals((await ws.end()).code, 4001);
      assertEquals(await served.ends.next(), [4001, "ws"]);
      const native = await openNative(served.url);
      native.socket.close(4002, "own");
      assertEquals((await native.end()).code, 4002);
      assertEquals(await served.ends.next(), [4002, "own"]);
    });
  });

  describe(`a lost connection over ${variant.name} (RFC 6455 §7.1.5)`, () => {
    const losses: Record<string, (client: RawClient) => void> = {
      "a reset": (client) => client.reset(),
      "an end without Close": (client) => client.socket.end(),
      "an end amidst a header": (client) => client.socket.end(clientFrame(1, "x").subarray(0, 3)),
      "an end amidst a payload": (client) =>
        client.socket.end(clientFrame(2, new Uint8Array(70_000)).subarray(0, 60_000)),
      "an end amidst a message": (client) => client.socket.end(clientFrame(1, "x", { fin: false })),
      "a reset amidst a payload": (client) => {
        const begun = clientFrame(2, new Uint8Array(70_000)).subarray(0, 60_000);
        client.socket.write(begun, () => client.reset());
      },
    };
    for (const [loss, lose] of Object.entries(losses)) {
      it(`${loss} is told as 1006, and is no error`, async () => {
        await using served = await watch(variant);
        using client = await RawClient.open(served.url);
        await served.connections.next();
        lose(client);
        assertEquals(await served.ends.next(), [1006, ""]);
        assertEquals([served.ends.entries.length, served.errors], [1, []]);
        assertEquals([...served.server.connections], []);
      });
    }
  });

  describe(`conn.disconnect() over ${variant.name} (RFC 6455 §7.1.2)`, () => {
    const answered = variant.engine === "Bun.serve"
      ? "tells them (Bun.serve does not wait for the answer)"
      : "tells what the client answers";
    it(`sends code and reason, and ${answered}`, async () => {
      await using served = await watch(variant);
      using client = await RawClient.open(served.url);
      const connection = await served.connections.next();
      connection.disconnect(4001, "Schluß €");
      assertEquals(connection.isReady, false);
      assertEquals(connection.disconnecting, variant.engine !== "Bun.serve");
      const frame = await client.frame();
      assertEquals(new Uint8Array(frame!.payload), closeBytes(4001, "Schluß €"));
      client.write(clientFrame(8, closeBytes(4001, "well then")));
      assertEquals(await client.frame(), null);
      const told = variant.engine === "Bun.serve" ? "Schluß €" : "well then";
      assertEquals(await served.ends.next(), [4001, told]);
      assertEquals([connection.disconnecting, connection.disconnected], [false, true]);
    });

    it("without a code sends none", async () => {
      await using served = await watch(variant);
      using client = await RawClient.open(served.url);
      (await served.connections.next()).disconnect();
      assertEquals((await client.frame())?.payload.length, 0);
      client.write(clientFrame(8));
      await client.end();
      assertEquals(await served.ends.next(), [1005, ""]);
    });

    it("is heard by ws and by the runtime's own WebSocket", async () => {
      await using served = await watch(variant);
      const ws = await openWs(served.url);
      (await served.connections.next()).disconnect(3001, "ws");
      assertEquals(await ws.end(), { code: 3001, reason: "ws" });
      const native = await openNative(served.url);
      (await served.connections.next()).disconnect(3002, "own");
      const { code, reason, wasClean } = await native.end();
      assertEquals([code, reason, wasClean], [3002, "own", true]);
      // Node's client leaves the reason out of its answer.
      const told = runtime === "node" ? "" : "own";
      assertEquals(await served.ends.first(2), [[3001, "ws"], [3002, told]]);
    });

    // Deno.serve fails the connection when a message comes before the answer.
    const afterwards = variant.engine === "Deno.serve" ? 1006 : 1000;
    it(`ends what is delivered: messages before the answer are ignored (${afterwards})`, async () => {
      await using served = await watch(variant);
      using client = await RawClient.open(served.url);
      const connection = await served.connections.next();
      connection.disconnect(1000);
      assertEquals([connection.sendUtf8("late"), connection.send(new Uint8Array(1))], [
        false,
        false,
      ]);
      client.write(concat(clientFrame(1, "late"), clientFrame(8, closeBytes(1000))));
      assertEquals((await client.frame())?.opcode, 8);
      assertEquals(await client.frame(), null);
      assertEquals(await served.ends.next(), [afterwards, ""]);
      assertEquals(served.messages.entries, []);
    });

    const unanswered = {
      "tcp": "drops a client that has not answered after closeTimeout: 1006",
      "Deno.serve": "gives up on an answer after closeTimeout: 1006 (Deno.serve keeps the socket)",
      "Bun.serve": "needs no answer (Bun.serve ends the connection at once)",
    }[variant.engine];
    it(unanswered, async () => {
      await using served = await watch(variant, { closeTimeout: 0.2 });
      using client = await RawClient.open(served.url);
      (await served.connections.next()).disconnect(1000);
      assertEquals(await client.closeCode(), 1000);
      assertEquals(await served.ends.next(), [variant.engine === "Bun.serve" ? 1000 : 1006, ""]);
      if (variant.engine !== "Deno.serve") await client.end();
      assertEquals(client.ended, variant.engine !== "Deno.serve");
    });

    it("twice sends one Close", async () => {
      await using served = await watch(variant);
      using client = await RawClient.open(served.url);
      const connection = await served.connections.next();
      connection.disconnect(1000, "one");
      connection.disconnect(1001, "two");
      client.write(clientFrame(8, closeBytes(1000)));
      assertEquals(await client.closeCode(), 1000);
      assertEquals(await client.frame(), null);
      assertEquals((await served.ends.next())[0], 1000);
      connection.disconnect(1000);
      connection.terminate();
      assertEquals(served.ends.entries.length, 1);
    });
  });
}

for (const variant of transports) {
  describe(`what conn.disconnect() takes over ${variant.name} (RFC 6455 §7.4)`, () => {
    const bad: [code: number | undefined, reason: string | undefined][] = [
      ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 1000.5, NaN, -1].map((
        code,
      ) => [code, undefined] as [number, undefined]),
      [1000, "x".repeat(124)],
      [1000, "€".repeat(42)],
      [1000, "\ud800"],
      [undefined, "a reason without a code"],
    ];
    it("throws for codes and reasons that may not be sent, and sends nothing", async () => {
      await using served = await watch(variant);
      using client = await RawClient.open(served.url);
      const connection = await served.connections.next();
      for (const [code, reason] of bad) {
        assertThrows(() => connection.disconnect(code, reason), RangeError);
      }
      assertEquals(connection.isReady, true);
      connection.sendUtf8("still here");
      assertEquals((await client.frame())?.payload.toString(), "still here");
    });

    it("takes a reason of 123 bytes", async () => {
      await using served = await watch(variant);
      using client = await RawClient.open(served.url);
      (await served.connections.next()).disconnect(1000, "€".repeat(41));
      assertEquals((await client.frame())?.payload.length, 125);
    });
  });

  describe(`a Close that may not be over ${variant.name}`, () => {
    const cases: [name: string, payload: Uint8Array, code: number][] = [
      ["of one byte (RFC 6455 §5.5.1)", Uint8Array.of(3), 1002],
      ...[0, 999, 1004, 1005, 1006, 1015, 2000, 5000, 65_535].map((code) =>
        [`with code ${code} (§7.4)`, closeBytes(code), 1002] as [string, Uint8Array, number]
      ),
      ["with a reason that is not UTF-8 (§5.5.1)", Uint8Array.of(3, 232, 0xc3, 0x28), 1007],
    ];
    for (const [name, payload, rule] of cases) {
      // Deno.serve drops the connection without a Close for two of them.
      const code = variant.engine === "Deno.serve" && /byte|UTF-8/.test(name) ? null : rule;
      const remark = code === rule ? "" : " without a word (Deno.serve)";
      it(`${name} fails the connection with ${rule}${remark}`, async () => {
        await using served = await watch(variant);
        using client = await RawClient.open(served.url);
        client.write(clientFrame(8, payload));
        assertEquals(await client.closeCode(), code);
        await client.end();
        assertEquals(await served.ends.next(), [1006, ""]);
        assertEquals(served.ends.entries.length, 1);
        assertEquals(served.errors.map((it) => (it as WebSocketError).code), ["ERR_PROTOCOL"]);
      });
    }
  });

  describe(`conn.terminate() over ${variant.name}`, () => {
    const ending = variant.engine === "Deno.serve"
      ? "is told as 1006; Deno.serve sends a Close and keeps the socket"
      : "ends the connection without a Close: 1006 (RFC 6455 §7.1.5)";
    it(ending, async () => {
      await using served = await watch(variant);
      using client = await RawClient.open(served.url);
      const connection = await served.connections.next();
      connection.terminate();
      assertEquals([connection.disconnected, served.ends.entries], [true, [[1006, ""]]]);
      assertEquals(await client.closeCode(), variant.engine === "Deno.serve" ? 1005 : null);
    });

    it("a silent client is terminated after silenceMax and one interval", async () => {
      await using served = await watch(variant, { silenceMax: 0.2, silenceCheckInterval: 0.1 });
      using client = await RawClient.open(served.url);
      assertEquals(await served.ends.next(), [1006, ""]);
      await client.end();
    });
  });
}
