import { describe, it } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { bridge, connect, WebSocketConnection, WebSocketError } from "../../client/mod.ts";
import type { WebSocketServerOptions } from "../../mod.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { RawClient } from "../support/raw_client.ts";
import {
  echo,
  handling,
  serve,
  type Served,
  transports,
  type Variant,
} from "../support/transports.ts";

/** What a proxy passes on to, the proxy, and what has become of its bridges. */
interface Proxied extends AsyncDisposable {
  readonly behind: Served<WebSocketConnection>;
  readonly front: Served<WebSocketConnection>;
  readonly ended: Journal<string>;
}

async function startProxy(
  variant: Variant,
  options: WebSocketServerOptions,
  engine = variant,
): Promise<Proxied> {
  const behind = await serve(engine, options);
  const ended = new Journal<string>();
  const front = await serve(variant, {
    ...handling({
      async ready(client) {
        bridge(client, await connect(behind.url, { debug: 0 })).then(
          () => ended.add("ended"),
          (error) => ended.add(error.message),
        );
      },
    }),
  });
  return {
    behind,
    front,
    ended,
    async [Symbol.asyncDispose]() {
      await front[Symbol.asyncDispose]();
      await behind[Symbol.asyncDispose]();
    },
  };
}

for (const variant of transports) {
  describe(`bridge() over ${variant.name}`, () => {
    it("passes messages of both kinds on, both ways and in order", async () => {
      await using proxied = await startProxy(variant, echo);
      const client = await connect(proxied.front.url, { debug: 0 });
      const sent: (string | Uint8Array)[] = [
        "",
        "text",
        new Uint8Array([1, 2]),
        "ä".repeat(100_000),
      ];
      for (let i = 0; i < 100; i++) sent.push(`${i}`);
      for (const it of sent) client.send(it);
      for (const it of sent) {
        const back = await client.recv();
        assertEquals(typeof back === "string" ? back : new Uint8Array(back!), it);
      }
      client.terminate();
      await proxied.ended.next();
    });

    const closes: [rule: string, code: number | undefined, reason: string, told: number][] = [
      ["a code and a reason", 4001, "enough", 4001],
      ["no code", undefined, "", 1005],
    ];
    for (const [rule, code, reason, told] of closes) {
      it(`passes ${rule} on to the server`, async () => {
        const ends = new Journal<[number, string]>();
        await using proxied = await startProxy(
          variant,
          handling({
            ready: (connection) => void connection.send("welcome"),
            disconnect: (_connection, code, reason) => ends.add([code, reason]),
          }),
        );
        const client = await connect(proxied.front.url, { debug: 0 });
        assertEquals(await client.recv(), "welcome");
        client.disconnect(code, reason);
        assertEquals(await ends.next(), [told, reason]);
        assertEquals(await proxied.ended.next(), "ended");
      });

      it(`passes ${rule} on to the client`, async () => {
        await using proxied = await startProxy(
          variant,
          handling({
            utf8: (connection) => connection.disconnect(code, reason),
          }),
        );
        const client = await connect(proxied.front.url, { debug: 0 });
        const end = new Promise((resolve) =>
          client.on({ disconnect: (_it, code, reason) => resolve([code, reason]) })
        );
        client.send("x");
        assertEquals(await patiently(end, "the end"), [told, reason]);
        assertEquals(await proxied.ended.next(), "ended");
      });
    }

    it("tells one side with 1014 that the other was lost", async () => {
      await using proxied = await startProxy(
        variant,
        handling({
          utf8: (connection) => connection.terminate(),
        }),
      );
      const client = await connect(proxied.front.url, { debug: 0 });
      client.send("x");
      const end = new Promise((resolve) => client.on({ disconnect: (_it, code) => resolve(code) }));
      // Deno's engine has no other code to send.
      assertEquals(await patiently(end, "the end"), variant.engine === "Deno.serve" ? 1005 : 1014);
      await proxied.ended.next();
    });

    it("passes on what had come before the end", async () => {
      await using proxied = await startProxy(
        variant,
        handling({
          ready(connection) {
            for (let i = 0; i < 200; i++) connection.send("x".repeat(1000));
            connection.disconnect(4000);
          },
        }),
      );
      const client = await connect(proxied.front.url, { debug: 0 });
      let count = 0;
      for await (const data of client) count += data.length;
      assertEquals(count, 200_000);
    });

    it("has a server wait for a client that reads nothing", async () => {
      let sent = 0;
      const flood = async (connection: WebSocketConnection) => {
        const piece = new Uint8Array(256 * 1024);
        while (connection.isReady && sent < 400) {
          sent++;
          if (!connection.send(piece)) await connection.drained();
        }
      };
      await using proxied = await startProxy(variant, handling({ ready: (it) => void flood(it) }));
      using client = await RawClient.open(proxied.front.url);
      client.pause();
      // Until nothing has moved for a while: 400 pieces are 100 MiB, far more than all buffers hold.
      for (let before = -1; before !== sent;) {
        before = sent;
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
      assert(sent < 300, `${sent} pieces were sent`);
      const [passed] = [...proxied.front.server.connections];
      assert(passed.bufferedAmount < 4 * 1024 * 1024, `${passed.bufferedAmount} bytes wait`);
    });
  });
}

describe("bridge()", () => {
  it("refuses a connection that is not open yet, and one that is read with recv()", async () => {
    const [, tcp] = transports;
    const refused = new Journal<string>();
    await using served = await serve(tcp, {
      onConnect: (_server, connection) => {
        bridge(connection, connection).catch((error) => refused.add(error.code));
      },
    });
    const client = await connect(served.url, { debug: 0 });
    assertEquals(await refused.next(), "ERR_STATE");
    const other = await connect(served.url, { debug: 0 });
    void other.recv();
    const error = await assertRejects(() => bridge(other, client));
    assert(error instanceof WebSocketError);
    assertEquals(error.code, "ERR_STATE");
    client.terminate();
    other.terminate();
  });

  it("calls the handlers for disconnect that there were", async () => {
    const [, tcp] = transports;
    const told = new Journal<number>();
    await using served = await serve(tcp, echo);
    const one = await connect(served.url, {
      debug: 0,
      handlers: { disconnect: (_it, code) => told.add(code) },
    });
    const other = await connect(served.url, { debug: 0 });
    const ended = bridge(one, other);
    one.disconnect(1000);
    assertEquals(await told.next(), 1000);
    await patiently(ended, "the end of both");
    assert(other.disconnected);
  });

  it("ends both with 1009 when a message is too large for the other side", async () => {
    const [, tcp] = transports;
    await using served = await serve(
      tcp,
      handling({
        utf8: (connection, data) => void connection.send("x".repeat(Number(data))),
      }),
    );
    const one = await connect(served.url, { debug: 0 });
    const other = await connect(served.url, { debug: 0, maxSendSize: 10 });
    const ended = bridge(one, other);
    one.send("11");
    await patiently(ended, "the end of both");
    assertEquals((one.error as WebSocketError).code, "ERR_HANDLER");
  });

  it("ends the other side of a connection that has ended", async () => {
    const [, tcp] = transports;
    await using served = await serve(tcp, echo);
    const one = await connect(served.url, { debug: 0 });
    one.terminate();
    const other = await connect(served.url, { debug: 0 });
    await patiently(bridge(one, other), "the end of both");
    assert(other.disconnected);
  });
});
