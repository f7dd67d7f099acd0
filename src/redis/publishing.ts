import { Buffer } from "node:buffer";
import { ConnectionLost } from "../engines/connection_lost.ts";
import { accepted, refused, unknown } from "../engines/publish_results.ts";
import { MARGIN, Searches } from "../engines/searches.ts";
import type { Clock } from "../topics/clock.ts";
import type { EngineTopic, Message, Position, PublishResult } from "../topics/engine.ts";
import { encodePayload } from "../topics/payload.ts";
import type { Commands } from "./commands.ts";
import { isReply } from "./connection.ts";
import type { Keys } from "./keys.ts";
import { FIND, PUBLISH, TELL } from "./scripts.ts";

/** How long an idempotency key is known, in milliseconds. */
const KEY_TIME = 300_000;
/** How long a meta hash outlives its stream, in milliseconds. */
const META_TIME = 86_400_000;
/** The most publications, and bytes of them, that one call takes. */
const BATCH = { count: 256, bytes: 1024 * 1024 };
/** How long a publication waits for the answer to others before it, in milliseconds. */
const WAIT_TIME = 1_300;
/** Topics of which the epoch is remembered. */
const EPOCHS = 10_000;

/**
 * Publications of one turn to one topic, or what has come while Redis had not answered the one before: one
 * call, one announcement.
 */
interface Batch {
  readonly topic: EngineTopic;
  readonly entries: Entry[];
  /** The furthest that any of them has seen. */
  seen: Position | null;
  bytes: number;
  readonly idempotencyKey: string | undefined;
  /** When the first of them was published here, and when it was sent. */
  readonly began: number;
  sent: number;
  /** The Redis that it was sent to. */
  run: string;
  /** The epoch that the topic had when it was sent, as far as known. */
  epoch: string;
}

interface Entry {
  readonly id: string;
  readonly payload: Buffer;
  readonly resolve: (result: PublishResult) => void;
  /** Set when it was announced: its place. */
  heard: PublishResult | null;
}

/** A batch that was sent and not answered. */
interface Lost {
  readonly began: number;
  readonly batch: Batch;
  readonly why: string;
  /** Ends the search. */
  readonly over: () => void;
}

/**
 * Tells how long a topic's meta hash lives.
 *
 * @param topic A topic with history.
 * @returns Milliseconds.
 */
export function metaTime(topic: EngineTopic): number {
  return Math.ceil(topic.history!.age * 1000) + META_TIME;
}

/** Publishes, and finds out what became of those that were not answered. */
export class Publishing {
  readonly #commands: Commands;
  readonly #keys: Keys;
  readonly #clock: Clock;
  /** What is not sent yet, by topic. */
  readonly #waiting = new Map<string, Batch>();
  /** Whether that is sent at the end of this turn. */
  #scheduled = false;
  /** How many batches of a topic Redis owes an answer to: what comes meanwhile goes together. */
  readonly #asked = new Map<string, number>();
  /** All that is not answered, by name. */
  readonly #entries = new Map<string, Entry>();
  /** The newest batch of each topic that is not answered. */
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #epochs = new Map<string, string>();
  readonly #searches: Searches<Lost>;
  #closed = false;

  /**
   * @param commands Where commands are sent.
   * @param keys Names the keys.
   * @param clock Where time comes from.
   */
  constructor(commands: Commands, keys: Keys, clock: Clock) {
    this.#commands = commands;
    this.#keys = keys;
    this.#clock = clock;
    this.#searches = new Searches({
      clock,
      whenUp: (time) => commands.whenUp(time),
      find: (losts) => this.#find(losts),
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
  publish(
    topic: EngineTopic,
    message: Message,
    seen: Position | null,
  ): Promise<PublishResult> | PublishResult {
    if (this.#closed) return refused(topic, "the engine was closed");
    if (!this.#commands.up) return refused(topic, "Redis cannot be reached");
    const payload = encodePayload(message);
    return new Promise((resolve) => {
      const entry: Entry = { id: message.id, payload, resolve, heard: null };
      this.#entries.set(entry.id, entry);
      const batch = this.#batch(topic, message.idempotencyKey, payload.length);
      batch.entries.push(entry);
      batch.bytes += payload.length;
      if (isFurther(seen, batch.seen)) batch.seen = seen;
      if (message.idempotencyKey !== undefined) this.#send(batch);
    });
  }

  /** Sends what waits: before any other command, so that calls take effect in their order. */
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

  /** Ends it: what is not answered is not looked for. */
  close(): void {
    this.#closed = true;
    this.#searches.close();
  }

  #batch(topic: EngineTopic, idempotencyKey: string | undefined, bytes: number): Batch {
    const { name } = topic;
    const waiting = this.#waiting.get(name);
    if (waiting !== undefined) {
      const fits = waiting.entries.length < BATCH.count && waiting.bytes + bytes <= BATCH.bytes;
      if (fits && idempotencyKey === undefined) return waiting;
      this.#send(waiting);
    }
    if (idempotencyKey === undefined && !this.#asked.has(name)) this.#schedule();
    const batch: Batch = {
      topic,
      entries: [],
      seen: null,
      bytes: 0,
      idempotencyKey,
      began: this.#clock.now(),
      sent: 0,
      run: "",
      epoch: "",
    };
    if (idempotencyKey === undefined) this.#waiting.set(name, batch);
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

  #send(batch: Batch): void {
    const { topic, entries } = batch;
    const { name } = topic;
    if (this.#waiting.get(name) === batch) this.#waiting.delete(name);
    batch.sent = this.#clock.now();
    batch.run = this.#commands.server;
    batch.epoch = this.#epochs.get(name) ?? batch.seen?.epoch ?? "";
    this.#asked.set(name, (this.#asked.get(name) ?? 0) + 1);
    const asked = topic.history === null ? this.#tell(batch) : this.#append(batch);
    const done = asked.finally(() => this.#sendNext(batch)).catch((error) =>
      this.#failed(batch, error)
    ).then(() => {
      for (const { id } of entries) this.#entries.delete(id);
      if (this.#underWay.get(name) === done) this.#underWay.delete(name);
    });
    this.#underWay.set(name, done);
  }

  /** Sends what has come while a batch was not answered, unless an answer would be too late by now. */
  #sendNext({ topic }: Batch): void {
    const { name } = topic;
    const left = this.#asked.get(name)! - 1;
    if (left > 0) {
      this.#asked.set(name, left);
      return;
    }
    this.#asked.delete(name);
    const next = this.#waiting.get(name);
    if (next === undefined) return;
    if (this.#clock.now() - next.began <= WAIT_TIME) return this.#send(next);
    this.#waiting.delete(name);
    for (const { id, resolve } of next.entries) {
      this.#entries.delete(id);
      resolve(refused(topic, "Redis has not answered in time what was published before it"));
    }
  }

  async #tell({ topic, entries, idempotencyKey }: Batch): Promise<void> {
    const { meta, channel } = this.#keys.of(topic.name);
    const key = this.#idempotency(topic, idempotencyKey);
    const payloads = entries.map(({ payload }) => payload);
    const args = [channel, key === undefined ? 0 : KEY_TIME, ...payloads];
    const repeated = await this.#commands.run(TELL, key === undefined ? [meta] : [meta, key], args);
    for (const { resolve } of entries) {
      resolve(repeated === 1 ? { accepted: true, repeated: true } : { accepted: true });
    }
  }

  async #append({ topic, entries, seen, idempotencyKey }: Batch): Promise<void> {
    const { meta, stream, channel } = this.#keys.of(topic.name);
    const { count, age } = topic.history!;
    const key = this.#idempotency(topic, idempotencyKey);
    const answer = await this.#commands.run<[Buffer, number, number]>(
      PUBLISH,
      key === undefined ? [meta, stream] : [meta, stream, key],
      [
        this.#commands.fresh(),
        metaTime(topic),
        channel,
        count,
        Math.ceil(age * 1000),
        seen?.epoch ?? "",
        seen?.offset ?? 0,
        key === undefined ? 0 : KEY_TIME,
        ...entries.map(({ payload }) => payload),
      ],
    );
    const epoch = answer[0].toString();
    const [, last, repeated] = answer;
    this.#learn(topic.name, epoch);
    entries.forEach(({ resolve }, i) => {
      const position = { epoch, offset: last - entries.length + 1 + i };
      resolve(repeated === 1 ? { ...accepted(position), repeated: true } : accepted(position));
    });
  }

  #idempotency({ name }: EngineTopic, key: string | undefined): string | undefined {
    return key === undefined ? undefined : this.#keys.idempotency(name, key);
  }

  /** Remembers a topic's epoch: only in the same one is it certain that something is not there. */
  #learn(topic: string, epoch: string): void {
    if (this.#epochs.size >= EPOCHS) this.#epochs.clear();
    this.#epochs.set(topic, epoch);
  }

  async #failed(batch: Batch, error: Error): Promise<void> {
    const { topic, entries } = batch;
    const why = error.message;
    if (isReply(error) || (error instanceof ConnectionLost && !error.sent)) {
      for (const { resolve } of entries) resolve(refused(topic, why));
      return;
    }
    if (topic.history !== null) {
      const { began } = batch;
      await new Promise<void>((over) =>
        this.#searches.add(topic.name, { began, batch, why, over })
      );
    }
    // Those that were found are answered; others may have been announced by now.
    for (const { resolve } of unheard(entries)) {
      resolve(unknown(topic, `no answer came: ${why}`));
    }
  }

  /** Looks in a topic's history for what was sent and not answered. */
  async #find(losts: readonly Lost[]): Promise<void> {
    const { topic, sent } = losts[0].batch;
    const { meta, stream } = this.#keys.of(topic.name);
    const since = this.#commands.engineTime(sent) - MARGIN;
    const ids = losts.flatMap(({ batch }) => batch.entries.map(({ id }) => id));
    const [answer, sure, ...offsets] = await this.#commands.run<[Buffer, number, ...number[]]>(
      FIND,
      [meta, stream],
      [since, ...ids],
    );
    const now = answer.toString();
    let i = 0;
    for (const { batch, why } of losts) {
      // A restarted Redis may have forgotten it, and another connection's command may be done yet.
      const never = sure === 1 && batch.epoch === now && this.#commands.isOver(batch.run);
      for (const { resolve } of batch.entries) {
        const offset = offsets[i++];
        if (offset > 0) resolve(accepted({ epoch: now, offset }));
        else if (never) resolve(refused(topic, why));
      }
    }
  }
}

/** Answers those that were announced, and gives the others. */
function unheard(entries: readonly Entry[]): Entry[] {
  return entries.filter(({ heard, resolve }) => {
    if (heard !== null) resolve(heard);
    return heard === null;
  });
}

function isFurther(seen: Position | null, than: Position | null): boolean {
  return seen !== null && (than === null || seen.epoch !== than.epoch || seen.offset > than.offset);
}
