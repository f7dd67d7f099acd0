import {
  type ProtocolError,
  Receiver,
  type ReceiverEvents,
  type ReceiverOptions,
} from "../../src/protocol/mod.ts";
import { hex } from "./notation.ts";

/** One thing that a receiver told of: its name and what came with it. */
export type Recording =
  | readonly [kind: "text", data: string]
  | readonly [kind: "binary" | "ping" | "pong", data: Uint8Array]
  | readonly [kind: "close" | "fail", code: number, why: string];

/** Writes down what a receiver tells of. */
export class Recorder implements ReceiverEvents {
  readonly events: Recording[] = [];
  /** Called after each event. */
  after: () => void = () => {};
  /** How many turns have ended before their chunk did. */
  turns = 0;

  onText(data: string): void {
    this.#add(["text", data]);
  }

  onBinary(data: Uint8Array): void {
    this.#add(["binary", data]);
  }

  onPing(payload: Uint8Array): void {
    this.#add(["ping", payload]);
  }

  onPong(payload: Uint8Array): void {
    this.#add(["pong", payload]);
  }

  onClose(code: number, reason: string): void {
    this.#add(["close", code, reason]);
  }

  onFailure(error: ProtocolError): void {
    this.#add(["fail", error.closeCode, error.rule]);
  }

  onTurnEnd(): void {
    this.turns++;
  }

  /** The events, one readable line each. */
  get lines(): string[] {
    return this.events.map(([kind, ...what]) =>
      [kind, ...what.map((it) => it instanceof Uint8Array ? hex(it) : it)].join(" ").trimEnd()
    );
  }

  #add(event: Recording): void {
    this.events.push(event);
    this.after();
  }
}

/** A receiver that takes messages of up to 1 MiB, unless the options say otherwise. */
export function record(
  options: Partial<ReceiverOptions> = {},
): { receiver: Receiver; recorder: Recorder } {
  const recorder = new Recorder();
  return { recorder, receiver: new Receiver(recorder, { maxMessageSize: 1 << 20, ...options }) };
}

/** Gives a receiver pieces, which stay as they are, and tells what came of them. */
export function receive(
  pieces: Iterable<Uint8Array>,
  options: Partial<ReceiverOptions> = {},
): Recorder {
  const { receiver, recorder } = record(options);
  for (const piece of pieces) receiver.push(piece.slice());
  return recorder;
}
