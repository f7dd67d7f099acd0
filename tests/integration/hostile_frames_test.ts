import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import type { WebSocketConnection, WebSocketError, WebSocketServerOptions } from "../../mod.ts";
import { clientFrame as frame, closeBytes, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { echo, serve, transports, type Variant } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

/** What comes of it: the code of the Close; or the connection is dropped without one; or nothing does. */
type Outcome = number | "dropped" | "taken";

interface Row {
  rule: string;
  bytes: Uint8Array;
  tcp: Outcome;
  /** Where the engines of the runtimes do otherwise than ours; Deno.serve drops for every code. */
  deno?: Outcome;
  bun?: Outcome;
}

/** Small bounds, so that it takes little to go beyond them. */
const limits = ({ engine }: Variant): WebSocketServerOptions => ({
  maxRecvSize: 1024,
  // The engines of the runtimes have no such limit.
  ...(engine === "tcp" ? { maxFragments: 100 } : {}),
});
const begin = frame(1, "a", { fin: false });
const more = (count: number, payload: string) =>
  concat(...Array(count).fill(frame(0, payload, { fin: false })));
const bytes = (...values: number[]) => Uint8Array.from(values);

const ROWS: Row[] = [
  {
    rule: "a frame without a mask (§5.1)",
    bytes: frame(1, "x", { key: null }),
    tcp: 1002,
    deno: "taken",
  },
  { rule: "a mask of zeros (§5.3)", bytes: frame(1, "x", { key: [0, 0, 0, 0] }), tcp: "taken" },
  ...[0x40, 0x20, 0x10, 0x70].map((rsv): Row => ({
    rule: `reserved bits 0x${rsv.toString(16)} that no extension gave a meaning (§5.2)`,
    bytes: frame(1, "x", { rsv }),
    tcp: 1002,
  })),
  { rule: "a reserved bit on a Ping (§5.2)", bytes: frame(9, "x", { rsv: 0x40 }), tcp: 1002 },
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): Row => ({
    rule: `the reserved opcode ${opcode} (§5.2)`,
    bytes: frame(opcode, "x"),
    tcp: 1002,
  })),
  { rule: "a fragmented Ping (§5.5)", bytes: frame(9, "x", { fin: false }), tcp: 1002 },
  { rule: "a fragmented Close (§5.5)", bytes: frame(8, "", { fin: false }), tcp: 1002 },
  { rule: "a Ping of 126 bytes (§5.5)", bytes: frame(9, new Uint8Array(126)), tcp: 1002 },
  { rule: "a continuation of nothing (§5.4)", bytes: frame(0, "x"), tcp: 1002 },
  { rule: "a text within a message (§5.4)", bytes: concat(begin, frame(1, "x")), tcp: 1002 },
  { rule: "bytes within a text (§5.4)", bytes: concat(begin, frame(2, "x")), tcp: 1002 },
  {
    rule: "a length of 1 in 16 bits (§5.2)",
    bytes: frame(1, "x", { lengthBytes: 2 }),
    tcp: 1002,
    deno: "taken",
    bun: "taken",
  },
  {
    rule: "a length of 300 in 64 bits (§5.2)",
    bytes: frame(1, "x".repeat(300), { lengthBytes: 8 }),
    tcp: 1002,
    deno: "taken",
    bun: "taken",
  },
  {
    rule: "a length with its top bit set (§5.2)",
    bytes: frame(2, "", { claim: 1n << 63n }),
    tcp: 1002,
    bun: 1009,
  },
  {
    rule: "a length of 2^62 (§7.4.1)",
    bytes: frame(2, new Uint8Array(100), { claim: 1n << 62n }),
    tcp: 1009,
  },
  { rule: "maxRecvSize (§7.4.1)", bytes: frame(2, new Uint8Array(1024)), tcp: "taken" },
  {
    rule: "one byte more than maxRecvSize (§7.4.1)",
    bytes: frame(2, new Uint8Array(1025)),
    tcp: 1009,
    deno: 1009,
  },
  {
    rule: "maxRecvSize in two fragments (§5.4)",
    bytes: concat(frame(2, new Uint8Array(1023), { fin: false }), frame(0, "x")),
    tcp: "taken",
  },
  {
    rule: "one byte more than maxRecvSize in two fragments (§7.4.1)",
    bytes: concat(frame(2, new Uint8Array(1024), { fin: false }), frame(0, "x")),
    tcp: 1009,
    deno: 1009,
  },
  { rule: "1023 bytes in 341 characters (§7.4.1)", bytes: frame(1, "€".repeat(341)), tcp: "taken" },
  {
    rule: "1026 bytes in 342 characters (§7.4.1)",
    bytes: frame(1, "€".repeat(342)),
    tcp: 1009,
    deno: 1009,
  },
  { rule: "text that is not UTF-8 (§8.1)", bytes: frame(1, bytes(0xc3, 0x28)), tcp: 1007 },
  { rule: "text with a surrogate (§8.1)", bytes: frame(1, bytes(0xed, 0xa0, 0x80)), tcp: 1007 },
  { rule: "text in overlong UTF-8 (§8.1)", bytes: frame(1, bytes(0xc0, 0xaf)), tcp: 1007 },
  {
    rule: "text that ends within a character (§8.1)",
    bytes: frame(1, bytes(0x61, 0xe2, 0x82)),
    tcp: 1007,
  },
  {
    rule: "text that is wrong before its end has come (§8.1)",
    bytes: concat(begin, frame(0, bytes(0xff), { fin: false })),
    tcp: 1007,
    // Bun.serve looks at the whole message only.
    bun: "taken",
  },
  {
    rule: "maxFragments",
    bytes: concat(begin, more(98, "b"), frame(0, "c")),
    tcp: "taken",
  },
  {
    rule: "one fragment more than maxFragments",
    bytes: concat(begin, more(99, "b"), frame(0, "c")),
    tcp: 1008,
    deno: "taken",
    bun: "taken",
  },
  {
    rule: "a flood of empty fragments",
    bytes: concat(begin, more(2000, ""), frame(0, "")),
    tcp: 1008,
    deno: "taken",
    bun: "taken",
  },
  {
    rule: "HTTP pipelined behind the request to upgrade (§4.1)",
    bytes: concat(upgradeRequest()),
    tcp: 1002,
  },
];

/** What a transport makes of a row. */
function outcomeOf({ tcp, deno, bun }: Row, { engine }: Variant): Outcome {
  if (engine === "tcp") return tcp;
  if (engine === "Bun.serve") return bun ?? tcp;
  return deno ?? (tcp === "taken" ? "taken" : "dropped");
}

for (const variant of transports) {
  describe(`hostile frames over ${variant.name} (RFC 6455)`, () => {
    for (const row of ROWS) {
      const outcome = outcomeOf(row, variant);
      const remark = outcome === row.tcp ? "" : ` (${variant.engine}; ${row.tcp} over tcp)`;
      it(`${row.rule}: ${outcome}${remark}`, async () => {
        const connections = new Journal<WebSocketConnection>();
        const ends = new Journal<[number, string]>();
        await using served = await serve(variant, {
          onConnect(_server, connection) {
            connection.on({
              ready: connections.add,
              utf8: (connection, data) => void connection.sendUtf8(data),
              binary: (connection, data) => void connection.sendBinary(data),
              disconnect: (_connection, ...end) => ends.add(end),
            });
          },
          ...limits(variant),
        });
        const healthy = await openWs(served.url);
        const bystander = await connections.next();
        using client = await RawClient.open(served.url);
        client.write(row.bytes);
        if (outcome === "taken") {
          // Another Ping is answered: the connection lives.
          client.write(frame(9, "alive?"));
          let answer = await client.frame();
          while (answer !== null && answer.opcode !== 10) answer = await client.frame();
          assertEquals(answer?.payload.toString(), "alive?");
          assertEquals(served.errors, []);
        } else {
          assertEquals(await client.closeCode(), outcome === "dropped" ? null : outcome);
          // Deno.serve keeps the socket until its Close is answered.
          if (!client.ended) client.write(frame(8, closeBytes(1000)));
          await client.end();
          const [code, reason] = await ends.next();
          assert(code === 1006 || (variant.engine === "Deno.serve" && code === 1000), `${code}`);
          assertEquals([reason, ends.entries.length], ["", 1]);
          assertEquals(served.errors.map((it) => (it as WebSocketError).code), ["ERR_PROTOCOL"]);
        }
        assertEquals(bystander.isReady, true);
        healthy.socket.send("still served");
        assertEquals(await healthy.messages.next(), "still served");
        healthy.socket.close();
        await healthy.end();
      });
    }

    const limit = variant.engine === "tcp" ? "up to maxControlFrames a second" : "without a limit";
    it(`pings are answered ${limit} (§5.5.2)`, async () => {
      const maxControlFrames = 100;
      await using served = await serve(
        variant,
        variant.engine === "tcp" ? { ...echo, maxControlFrames } : echo,
      );
      using polite = await RawClient.open(served.url);
      polite.write(concat(...Array(maxControlFrames).fill(frame(9, "x"))));
      for (let i = 0; i < maxControlFrames; i++) assertEquals((await polite.frame())?.opcode, 10);
      assertEquals(served.errors, []);
      using flooder = await RawClient.open(served.url);
      // Twice and once more: a second may end amidst them.
      const flood = maxControlFrames * 2 + 1;
      flooder.write(concat(...Array(flood).fill(frame(9, "x"))));
      if (variant.engine === "tcp") {
        assertEquals(await flooder.closeCode(), 1008);
        assertEquals(served.errors.length, 1);
      } else {
        for (let i = 0; i < flood; i++) assertEquals((await flooder.frame())?.opcode, 10);
      }
      polite.write(frame(1, "y"));
      assertEquals((await polite.frame())?.payload.toString(), "y");
    });
  });
}
