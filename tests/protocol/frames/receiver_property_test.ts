import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Opcode } from "../../../src/protocol/mod.ts";
import { clientFrame, closeBytes, concat } from "../../support/client_frame.ts";
import { receive, record, type Recording } from "../../support/recorder.ts";
import { anyCuts, cutAnywhere, singleBytes } from "../../support/splits.ts";

type Key = [number, number, number, number];
const byte = fc.nat(255);
const key: fc.Arbitrary<Key> = fc.tuple(byte, byte, byte, byte);

const length = fc.oneof(
  { weight: 5, arbitrary: fc.nat(150) },
  { weight: 1, arbitrary: fc.constantFrom(125, 126, 127, 65_535, 65_536) },
);
const payload = fc.tuple(length, byte, byte).map(([size, first, step]) =>
  Uint8Array.from({ length: size }, (_, i) => first + i * step)
);
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 200 }),
  fc.tuple(fc.string({ unit: "grapheme", maxLength: 5 }), fc.nat(400))
    .map(([it, count]) => it.repeat(count)),
);

/** What a client sends and what it comes to. */
interface Sending {
  frames: Uint8Array[];
  told: Recording[];
}

const control: fc.Arbitrary<Sending> = fc.record({
  kind: fc.constantFrom("ping" as const, "pong" as const),
  data: fc.uint8Array({ maxLength: 125 }),
  key,
}).map(({ kind, data, key }) => ({
  frames: [clientFrame(kind === "ping" ? Opcode.PING : Opcode.PONG, data, { key })],
  told: [[kind, data]],
}));

/** A message in any number of fragments, with control frames between them. */
const message: fc.Arbitrary<Sending> = fc.record({
  data: fc.oneof(text, payload),
  cuts: fc.oneof(fc.constant([]), anyCuts),
  keys: fc.array(key, { minLength: 13, maxLength: 13 }),
  between: fc.array(fc.option(control, { freq: 2, nil: undefined }), { maxLength: 12 }),
}).map(({ data, cuts, keys, between }) => {
  const isText = typeof data === "string";
  const bytes = isText ? new TextEncoder().encode(data) : data;
  const pieces = bytes.length === 0 ? [bytes] : cutAnywhere(bytes, cuts);
  const sending: Sending = { frames: [], told: [] };
  pieces.forEach((piece, i) => {
    const opcode = i > 0 ? Opcode.CONTINUATION : isText ? Opcode.TEXT : Opcode.BINARY;
    const fin = i === pieces.length - 1;
    sending.frames.push(clientFrame(opcode, piece, { fin, key: keys[i] }));
    const within = fin ? undefined : between[i];
    sending.frames.push(...within?.frames ?? []);
    sending.told.push(...within?.told ?? []);
  });
  sending.told.push(isText ? ["text", data] : ["binary", bytes]);
  return sending;
});

const close: fc.Arbitrary<Sending> = fc.oneof(
  fc.constant<Sending>({ frames: [clientFrame(Opcode.CLOSE)], told: [["close", 1005, ""]] }),
  fc.tuple(fc.constantFrom(1000, 1001, 3000, 4999), fc.string({ unit: "grapheme", maxLength: 9 }))
    .filter(([, reason]) => new TextEncoder().encode(reason).length <= 123)
    .map(([code, reason]): Sending => ({
      frames: [clientFrame(Opcode.CLOSE, closeBytes(code, reason))],
      told: [["close", code, reason]],
    })),
);

const conversation: fc.Arbitrary<Sending> = fc.tuple(
  fc.array(fc.oneof({ weight: 3, arbitrary: message }, control), { maxLength: 6 }),
  fc.option(close, { nil: undefined }),
).map(([sendings, last]) => {
  const all = last === undefined ? sendings : [...sendings, last];
  return { frames: all.flatMap((it) => it.frames), told: all.flatMap((it) => it.told) };
}).filter(({ frames }) => frames.length > 0);

/** Bytes that are frames for the most part: right ones with a few bytes changed. */
const nearlyRight = fc.tuple(
  conversation,
  fc.array(fc.tuple(fc.nat(), byte), { minLength: 1, maxLength: 3 }),
).map(([{ frames }, changes]) => {
  const whole = concat(...frames);
  // The first frames are changed more than their share: behind a failure nothing is looked at.
  for (const [at, value] of changes) whole[at % Math.min(whole.length, 40)] = value;
  return whole;
});

describe("receiver: any right frames (RFC 6455 §5, §6.2)", () => {
  it("come to the same messages however they are split", () => {
    fc.assert(
      fc.property(conversation, anyCuts, ({ frames, told }, cuts) => {
        assertEquals(receive(cutAnywhere(concat(...frames), cuts)).events, told);
      }),
      { numRuns: 300 },
    );
  });

  it("come to the same messages in turns of any length", () => {
    fc.assert(
      fc.property(conversation, anyCuts, fc.integer({ min: 1, max: 4 }), (sending, cuts, turn) => {
        const { receiver, recorder } = record({ framesPerTurn: turn });
        for (const piece of cutAnywhere(concat(...sending.frames), cuts)) {
          receiver.push(piece.slice());
          while (!receiver.idle) receiver.resume();
        }
        assertEquals(recorder.events, sending.told);
      }),
      { numRuns: 200 },
    );
  });

  it("come to the same messages byte by byte", () => {
    fc.assert(
      fc.property(conversation, ({ frames, told }) => {
        const whole = concat(...frames);
        fc.pre(whole.length < 3000);
        assertEquals(receive(singleBytes(whole)).events, told);
      }),
      { numRuns: 100 },
    );
  });

  it("come to the same messages with pauses at any event, and buffers that are used again", () => {
    const pauses = fc.infiniteStream(fc.constantFrom("no", "within", "later"));
    const resumes = fc.infiniteStream(fc.boolean());
    fc.assert(
      fc.property(conversation, anyCuts, pauses, resumes, (sending, cuts, pauses, resumes) => {
        const { receiver, recorder } = record();
        let paused = false;
        recorder.after = () => {
          assert(!paused, "told of something while paused");
          const pause = pauses.next().value;
          if (pause !== "no") receiver.pause();
          if (pause === "within") receiver.resume();
          paused = pause === "later";
        };
        const resume = () => {
          paused = false;
          receiver.resume();
        };
        const reused: Uint8Array[] = [];
        for (const piece of cutAnywhere(concat(...sending.frames), cuts)) {
          const chunk = piece.slice();
          receiver.push(chunk);
          reused.push(chunk);
          if (receiver.idle) { for (const it of reused.splice(0)) it.fill(0xa5); }
          if (resumes.next().value) resume();
        }
        while (paused) resume();
        assertEquals(recorder.events, sending.told);
      }),
      { numRuns: 300 },
    );
  });
});

describe("receiver: any right frames in chunks that are its own", () => {
  const large = fc.tuple(fc.constantFrom(4095, 4096, 9000, 20_000), byte).map(([size, first]) =>
    Uint8Array.from({ length: size }, (_, i) => first + i * 7)
  );
  const whole: fc.Arbitrary<Sending> = fc.tuple(large, key).map(([data, key]) => ({
    frames: [clientFrame(Opcode.BINARY, data, { key })],
    told: [["binary", data]],
  }));
  const sendings = fc.array(
    fc.oneof({ weight: 3, arbitrary: whole }, { weight: 2, arbitrary: message }, control),
    { minLength: 1, maxLength: 6 },
  );
  /** Where frames end, and a byte around that, as well as anywhere. */
  const cutsOf = (frames: Uint8Array[], near: number[], cuts: number[]) => {
    let end = 0;
    const ends = frames.map((it) => end += it.length);
    return [...near.map((it, i) => ends[i % ends.length] + it), ...cuts];
  };
  const near = fc.array(fc.integer({ min: -1, max: 1 }), { maxLength: 8 });

  it("come to the same messages however they are split, and no message's bytes change later", () => {
    fc.assert(
      fc.property(sendings, near, anyCuts, (sendings, near, cuts) => {
        const frames = sendings.flatMap((it) => it.frames);
        const { receiver, recorder } = record({ ownsChunks: true, framesPerTurn: 2 });
        for (const piece of cutAnywhere(concat(...frames), cutsOf(frames, near, cuts))) {
          receiver.push(piece.slice());
          while (!receiver.idle) receiver.resume();
        }
        const { events } = recorder;
        assertEquals(events, sendings.flatMap((it) => it.told));
        const messages = events.flatMap(([, it]) => it instanceof Uint8Array ? [it] : []);
        for (const [i, it] of messages.entries()) it.fill(i);
        for (const [i, it] of messages.entries()) assert(it.every((byte) => byte === i));
        for (const it of messages) assert(it.buffer.byteLength <= Math.max(2 * it.length, 4096));
      }),
      { numRuns: 60 },
    );
  });

  it("come to the same messages when the listener transfers the buffer of each at once", () => {
    fc.assert(
      fc.property(sendings, near, anyCuts, (sendings, near, cuts) => {
        const frames = sendings.flatMap((it) => it.frames);
        const { receiver, recorder } = record({ ownsChunks: true });
        const told: Recording[] = [];
        recorder.after = () => {
          const event = recorder.events.at(-1)!;
          if (event[0] !== "binary") told.push(event);
          else {
            const transfer = [event[1].buffer as ArrayBuffer];
            told.push(["binary", structuredClone(event[1], { transfer })]);
          }
        };
        for (const piece of cutAnywhere(concat(...frames), cutsOf(frames, near, cuts))) {
          receiver.push(piece.slice());
        }
        assertEquals(told, sendings.flatMap((it) => it.told));
      }),
      { numRuns: 40 },
    );
  });
});

describe("receiver: any bytes at all", () => {
  it("end in messages or a failure, the same however they are split, and throw nothing", () => {
    const anything = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 200 }), nearlyRight);
    fc.assert(
      fc.property(anything, anyCuts, (data, cuts) => {
        const { lines } = receive([data], { maxMessageSize: 100_000 });
        assertEquals(receive(cutAnywhere(data, cuts), { maxMessageSize: 100_000 }).lines, lines);
        assertEquals(
          receive(singleBytes(data.subarray(0, 500)), { maxMessageSize: 100_000 }).lines,
          receive([data.subarray(0, 500)], { maxMessageSize: 100_000 }).lines,
        );
        const ends = lines.findIndex((it) => it.startsWith("fail") || it.startsWith("close"));
        assert(ends === -1 || ends === lines.length - 1, "something was told after the end");
      }),
      { numRuns: 1000 },
    );
  });
});
