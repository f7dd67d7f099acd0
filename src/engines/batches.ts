import type { Buffer } from "node:buffer";
import type { Clock } from "../topics/clock.ts";
import type { EngineTopic, Message, Position, PublishResult } from "../topics/engine.ts";
import { encodePayload } from "../topics/payload.ts";
import { accepted, refused, unknown } from "./publish_results.ts";
import { Searches } from "./searches.ts";

/** The most publications that go together. */
const COUNT = 256;
/** How long a publication waits for the answer to others before it, in milliseconds. */
const WAIT_TIME = 1_300;

/** One publication that is not answered. */
export interface Entry {
  readonly id: string;
  readonly payload: Buffer;
  readonly resolve: (result: PublishResult) => void;
  /** Set when it was announced: its place. */
  heard: PublishResult | null;
}

/** Publications to one topic that the engine is given in one piece, and that it answers as one. */
export interface Batch<Sent> {
  readonly topic: EngineTopic;
  readonly entries: Entry[];
  /** The furthest that any of them has seen. */
  seen: Position | null;
  bytes: number;
  readonly idempotencyKey: string | undefined;
  /** When the first of them was published here. */
  readonly began: number;
  /** When and where it was sent; null before that. */
  sent: Sent | null;
}

/** A batch that was sent and not answered. */
export interface LostBatch<Sent> {
  readonly began: number;
  readonly batch: Batch<Sent>;
  readonly sent: Sent;
  /** Why no answer came. */
  readonly why: string;
  /** Ends the search. */
  readonly over: () => void;
}

/** How an engine publishes. */
export interface BatchesHost<Sent> {
  readonly clock: Clock;
  /** What is published to, for people. */
  readonly name: string;
  /** How many bytes may go together. */
  maxBytes(): number;
  /** Whether publications to this topic may go together at all. */
  together(topic: EngineTopic): boolean;
  /** Sends one, and resolves its entries. Rejects where the engine has not, or has not surely, taken it. */
  ask(batch: Batch<Sent>): Promise<void>;
  /** Whether what failed so cannot have been done. */
  isRefusal(error: Error): boolean;
  /** Waits until the engine can be asked. */
  whenUp(time: number): Promise<boolean>;
  /** Looks in a topic's history for what was not answered, and resolves those of which it is certain. */
  find(losts: readonly LostBatch<Sent>[]): Promise<void>;
}

/**
 * Publishes what was published to a topic in one turn, and what has come while the engine had not answered the
 * one before, together; and finds out what became of those that were not answered.
 */
export class Batches<Sent> {
  readonly #host: BatchesHost<Sent>;
  /** What is not sent yet, by topic. */
  readonly #waiting = new Map<string, Batch<Sent>>();
  /** Whether that is sent at the end of this turn. */
  #scheduled = false;
  /** How many batches of a topic the engine owes an answer to: what comes meanwhile goes together. */
  readonly #asked = new Map<string, number>();
  /** All that is not answered, by name. */
  readonly #entries = new Map<string, Entry>();
  /** The newest batch of each topic that is not answered. */
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #searches: Searches<LostBatch<Sent>>;

  /** @param host How to publish. */
  constructor(host: BatchesHost<Sent>) {
    this.#host = host;
    this.#searches = new Searches({
      clock: host.clock,
      whenUp: (time) => host.whenUp(time),
      find: (losts) => host.find(losts),
    });
  }

  /**
   * Publishes.
   *
   * @param topic The topic.
   * @param message What to publish.
   * @param seen The furthest position that this server has seen.
   * @returns What became of it.
   */
  add(topic: EngineTopic, message: Message, seen: Position | null): Promise<PublishResult> {
    const { id, idempotencyKey } = message;
    const payload = encodePayload(message);
    return new Promise((resolve) => {
      const entry: Entry = { id, payload, resolve, heard: null };
      this.#entries.set(id, entry);
      const alone = idempotencyKey !== undefined || !this.#host.together(topic);
      const batch = this.#batch(topic, idempotencyKey, payload.length, alone);
      batch.entries.push(entry);
      batch.bytes += payload.length;
      if (isFurther(seen, batch.seen)) batch.seen = seen;
      if (alone) this.#send(batch);
    });
  }

  /** Sends what waits. */
  flush(): void {
    if (this.#waiting.size === 0) return;
    for (const batch of [...this.#waiting.values()]) this.#send(batch);
  }

  /**
   * Tells when all that was published to a topic so far has been answered.
   *
   * @param topic The topic.
   * @returns Settled then; undefined when that is so now.
   */
  settled(topic: string): Promise<void> | undefined {
    this.flush();
    return this.#underWay.get(topic);
  }

  /**
   * Takes note of an announcement: it may be one that was not answered.
   *
   * @param id The publication's name.
   * @param position Its position, if it has one.
   */
  heard(id: string, position: Position | undefined): void {
    if (this.#entries.size === 0) return;
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.heard = accepted(position);
  }

  /**
   * Ends it: what waits is sent, and what is not answered is not looked for.
   *
   * @returns Settled when all is answered.
   */
  async close(): Promise<void> {
    this.flush();
    this.#searches.close();
    await Promise.all(this.#underWay.values());
  }

  #batch(
    topic: EngineTopic,
    idempotencyKey: string | undefined,
    bytes: number,
    alone: boolean,
  ): Batch<Sent> {
    const { name } = topic;
    const waiting = this.#waiting.get(name);
    if (waiting !== undefined) {
      const fits = waiting.entries.length < COUNT && waiting.bytes + bytes <= this.#host.maxBytes();
      if (fits && !alone) return waiting;
      this.#send(waiting);
    }
    const began = this.#host.clock.now();
    const batch: Batch<Sent> = {
      topic,
      entries: [],
      seen: null,
      bytes: 0,
      idempotencyKey,
      began,
      sent: null,
    };
    if (alone) return batch;
    if (!this.#asked.has(name)) this.#schedule();
    this.#waiting.set(name, batch);
    return batch;
  }

  /** Sends at the end of this turn what waits for nothing else. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      for (const [name, batch] of this.#waiting) {
        if (!this.#asked.has(name)) this.#send(batch);
      }
    });
  }

  #send(batch: Batch<Sent>): void {
    const { entries, topic: { name } } = batch;
    if (this.#waiting.get(name) === batch) this.#waiting.delete(name);
    this.#asked.set(name, (this.#asked.get(name) ?? 0) + 1);
    const done = this.#host.ask(batch).finally(() => this.#sendNext(batch)).catch((error) =>
      this.#failed(batch, error)
    ).then(() => {
      for (const { id } of entries) this.#entries.delete(id);
      if (this.#underWay.get(name) === done) this.#underWay.delete(name);
    });
    this.#underWay.set(name, done);
  }

  /** Sends what has come while a batch was not answered, unless an answer would be too late by now. */
  #sendNext({ topic }: Batch<Sent>): void {
    const { name } = topic;
    const left = this.#asked.get(name)! - 1;
    if (left > 0) {
      this.#asked.set(name, left);
      return;
    }
    this.#asked.delete(name);
    const next = this.#waiting.get(name);
    if (next === undefined) return;
    if (this.#host.clock.now() - next.began <= WAIT_TIME) return this.#send(next);
    this.#waiting.delete(name);
    const why = `${this.#host.name} has not answered in time what was published before it`;
    for (const { id, resolve } of next.entries) {
      this.#entries.delete(id);
      resolve(refused(topic, why));
    }
  }

  async #failed(batch: Batch<Sent>, error: Error): Promise<void> {
    const { topic, entries, began, sent } = batch;
    const { message: why } = error;
    if (sent === null || this.#host.isRefusal(error)) {
      for (const { resolve } of entries) resolve(refused(topic, why, error));
      return;
    }
    if (topic.history !== null && entries.some(({ heard }) => heard === null)) {
      await new Promise<void>((over) =>
        this.#searches.add(topic.name, { began, batch, sent, why, over })
      );
    }
    // Those that were found are answered; others may have been announced by now.
    for (const { heard, resolve } of entries) {
      resolve(heard ?? unknown(topic, `no answer came: ${why}`));
    }
  }
}

function isFurther(seen: Position | null, than: Position | null): boolean {
  return seen !== null && (than === null || seen.epoch !== than.epoch || seen.offset > than.offset);
}
