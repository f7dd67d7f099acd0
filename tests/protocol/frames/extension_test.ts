import { describe, it } from "node:test";
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type Extension,
  type ExtensionSession,
  negotiateExtensions,
  Opcode,
  OutputQueue,
  parseExtensions,
  ProtocolError,
  Receiver,
  RSV1,
  RSV2,
  RSV3,
  Sender,
} from "../../../src/protocol/mod.ts";
import { clientFrame, concat } from "../../support/client_frame.ts";
import { receive, Recorder } from "../../support/recorder.ts";
import { anyCuts, cutAnywhere } from "../../support/splits.ts";

describe("extensions, at work", () => {
  it("let a small extension of the user's own shift every letter both ways", () => {
    const shift = (payload: Uint8Array, by: number) => payload.map((it) => it + by);
    const caesar: Extension = {
      name: "x-caesar",
      negotiate([{ parameters }]) {
        const by = Number(new Map(parameters).get("by"));
        if (!(by > 0)) return undefined;
        return {
          rsv: RSV3,
          parameters: [["by", String(by)]],
          decode: (payload) => shift(payload, -by),
          encode: (payload) => shift(payload, by),
        };
      },
    };
    assertEquals(caesar.negotiate(parseExtensions("x-caesar")), undefined, "an offer without by");
    const agreed = negotiateExtensions([caesar], parseExtensions("x-caesar; by=3"));
    const recorder = new Recorder();
    const receiver = new Receiver(recorder, { maxMessageSize: 100, extensions: agreed });
    receiver.push(clientFrame(1, "dyh", { rsv: RSV3 }));
    assertEquals(recorder.lines, ["text ave"]);
    assertEquals(
      agreed[0].session.encode(new TextEncoder().encode("ave")),
      shift(
        new TextEncoder().encode("ave"),
        3,
      ),
    );
  });
});

describe("extensions that fail (RFC 6455 §7.4.1)", () => {
  const BUG = new Error("a bug");
  type Decode = ExtensionSession["decode"];
  const working = (decode: Decode, encode: ExtensionSession["encode"] = () => undefined) => [
    { name: "x-a", session: { rsv: RSV1, parameters: [], decode, encode } },
  ];
  const failing = (error: unknown) => (): never => {
    throw error;
  };
  const frame = (data: string) => clientFrame(2, data, { rsv: RSV1 });

  /** Receives with one extension; gives the failure, which must be the last that is told. */
  function failureOf(decode: Decode, chunks: Uint8Array[]): ProtocolError {
    const failures: ProtocolError[] = [];
    const ignore = () => assertEquals(failures, []);
    const receiver = new Receiver({
      onText: ignore,
      onBinary: ignore,
      onPing: ignore,
      onPong: ignore,
      onClose: ignore,
      onFailure: (error) => void failures.push(error),
    }, { maxMessageSize: 100, extensions: working(decode) });
    for (const chunk of chunks) receiver.push(chunk);
    assertEquals([failures.length, receiver.ended, receiver.idle], [1, true, true]);
    return failures[0];
  }

  const ways: Record<string, () => Uint8Array[]> = {
    "a message in one read": () => [concat(frame("abc"), clientFrame(1, "behind"))],
    "a message in two reads": () => [frame("abc").slice(0, 8), frame("abc").slice(8)],
    "a message in fragments": () => [
      concat(clientFrame(2, "a", { rsv: RSV1, fin: false }), clientFrame(0, "b")),
    ],
  };
  for (const [way, chunks] of Object.entries(ways)) {
    it(`fail the connection with 1011 when decode throws, with the cause: ${way}`, () => {
      for (const thrown of [BUG, 0, undefined, "text", new TypeError("t")]) {
        const { closeCode, cause, message } = failureOf(failing(thrown), chunks());
        assertEquals([closeCode, cause], [1011, thrown]);
        assertEquals(
          message,
          'Cannot take a message: the extension "x-a" failed (RFC 6455 §7.4.1)',
        );
      }
    });
  }

  it("fail the connection with 1011 when decode gives no bytes", () => {
    for (const given of [undefined, null, "abc", [1], new ArrayBuffer(1)]) {
      const { closeCode, cause } = failureOf(() => given as unknown as Uint8Array, [frame("abc")]);
      assertEquals([closeCode, cause instanceof TypeError], [1011, true]);
    }
  });

  it("fail the connection with 1009 when decode gives more than it may", () => {
    assertEquals(failureOf(() => new Uint8Array(101), [frame("abc")]).closeCode, 1009);
  });

  it("fail as they say when decode throws a ProtocolError", () => {
    const said = new ProtocolError(1007, "Cannot restore it", "x-a");
    assertStrictEquals(failureOf(failing(said), [frame("abc")]), said);
  });

  it("come to the same events however the bytes are split", () => {
    const decode: Decode = (payload) => payload[0] === 0x21 ? failing(BUG)() : payload.slice();
    const messages = fc.array(fc.tuple(fc.constantFrom("!", "a", "bcd"), fc.boolean()), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(fc.property(messages, anyCuts, (messages, cuts) => {
      const whole = concat(
        ...messages.map(([data, marked]) => clientFrame(1, data, { rsv: marked ? RSV1 : 0 })),
      );
      const extensions = working(decode);
      const { lines } = receive([whole], { extensions });
      assertEquals(receive(cutAnywhere(whole, cuts), { extensions }).lines, lines);
      const bad = messages.findIndex(([data, marked]) => marked && data === "!");
      assertEquals(lines.length, bad === -1 ? messages.length : bad + 1);
      assertEquals(lines.at(-1)!.startsWith("fail 1011"), bad !== -1);
    }));
  });

  it("leave nothing in the output when encode throws or gives no bytes, and throw 1011", () => {
    const encodes: [ExtensionSession["encode"], cause?: unknown][] = [
      [failing(BUG), BUG],
      [failing(new ProtocolError(1002, "no", "x"))],
      [() => "abc" as unknown as Uint8Array],
      [() => null as unknown as Uint8Array],
    ];
    for (const [encode, cause] of encodes) {
      const output = new OutputQueue();
      const first = {
        name: "x-b",
        session: {
          rsv: RSV2,
          parameters: [],
          decode: (it: Uint8Array) => it,
          encode: (it: Uint8Array) => it,
        },
      };
      const sender = new Sender(output, [first, ...working((it) => it, encode)], 0);
      sender.control(Opcode.PING, new Uint8Array());
      const sends = [
        () => sender.text("abc"),
        () => sender.text("é".repeat(100_000)),
        () => sender.binary(new Uint8Array(3)),
        () => sender.binary(new Uint8Array(1 << 20)),
      ];
      for (const send of sends) {
        const error = assertThrows(
          send,
          ProtocolError,
          'Cannot send a message: the extension "x-a"',
        );
        assertEquals(error.closeCode, 1011);
        if (cause !== undefined) assertStrictEquals(error.cause, cause);
      }
      assertEquals(output.length, 2);
      sender.control(Opcode.CLOSE, new Uint8Array());
      assertEquals(output.next(), Uint8Array.of(0x89, 0, 0x88, 0), "the Ping and the Close alone");
    }
  });
});
