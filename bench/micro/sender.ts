// From messages to the bytes that a tcp transport writes, taken from the queue as it takes them.

import { bench, do_not_optimize, run } from "mitata";
import { OutputQueue } from "../../src/protocol/frames/output_queue.ts";
import { Sender } from "../../src/protocol/frames/sender.ts";

function drain(output: OutputQueue): void {
  for (let piece = output.next(); piece !== undefined; piece = output.next()) {
    do_not_optimize(piece);
    output.done();
  }
}

const output = new OutputQueue();
const sender = new Sender(output);
const pattern = { ASCII: "a", mixed: "ä" };

for (const [name, character] of Object.entries(pattern)) {
  for (const length of [64, 1024, 65_536]) {
    const text = character.repeat(length);
    bench(`send ${length} characters of ${name} text`, () => {
      sender.text(text);
      drain(output);
    });
  }
}
for (const size of [64, 1024, 65_536, 1_048_576]) {
  const bytes = new Uint8Array(size);
  bench(`send ${size} B binary`, () => {
    sender.binary(bytes);
    drain(output);
  });
}
const small = new Uint8Array(64);
bench("send 32 x 64 B binary in one write", () => {
  for (let i = 0; i < 32; i++) sender.binary(small);
  drain(output);
});

if (import.meta.main) await run();
