import type { Buffer } from "node:buffer";
import { type Batch, Batches, type LostBatch } from "../engines/batches.ts";
import { ConnectionLost } from "../engines/connection_lost.ts";
import { ACCEPTED, accepted, refused } from "../engines/publish_results.ts";
import { MARGIN } from "../engines/searches.ts";
import type { Clock } from "../topics/clock.ts";
import type { EngineTopic, Message, Position, PublishResult } from "../topics/engine.ts";
import type { Commands } from "./commands.ts";
import { isReply } from "./connection.ts";
import type { Keys } from "./keys.ts";
import { FIND, PUBLISH, TELL } from "./scripts.ts";

/** How long an idempotency key is known, in milliseconds. */
const KEY_TIME = 300_000;
/** How long a meta hash outlives its stream, in milliseconds. */
const META_TIME = 86_400_000;
/** The most bytes of publications that one call takes. */
const CALL = 1024 * 1024;
/** Topics of which the epoch is remembered. */
const EPOCHS = 10_000;

/** When and where a batch was sent. */
interface Sent {
  readonly at: number;
  /** The Redis that it was sent to. */
  readonly run: string;
  /** The epoch that the topic had then, as far as known. */
  readonly epoch: string;
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

/** Publishes: a batch is one call and one announcement. */
export class Publishing {
  readonly #commands: Commands;
  readonly #keys: Keys;
  readonly #clock: Clock;
  readonly #batches: Batches<Sent>;
  readonly #epochs = new Map<string, string>();
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
    this.#batches = new Batches({
      clock,
      name: "Redis",
      maxBytes: () => CALL,
      together: () => true,
      ask: (batch) => this.#ask(batch),
      isRefusal: (error) => isReply(error) || (error instanceof ConnectionLost && !error.sent),
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
    return this.#batches.add(topic, message, seen);
  }

  /** Sends what waits: before any other command, so that calls take effect in their order. */
  flush(): void {
    this.#batches.flush();
  }

  /**
   * Tells when all that was published to a topic so far has been answered.
   *
   * @param topic The topic.
   * @returns Settled then; undefined when that is so now.
   */
  settled(topic: string): Promise<void> | undefined {
    return this.#batches.settled(topic);
  }

  /**
   * Takes note of an announcement: it may be one that was not answered.
   *
   * @param id The publication's name.
   * @param position Its position, if it has one.
   */
  heard(id: string, position: Position | undefined): void {
    this.#batches.heard(id, position);
  }

  /**
   * Ends it: what waits is sent, and what is not answered is not looked for.
   *
   * @returns Settled when all is answered.
   */
  close(): Promise<void> {
    this.#closed = true;
    return this.#batches.close();
  }

  #ask(batch: Batch<Sent>): Promise<void> {
    const { topic, seen } = batch;
    batch.sent = {
      at: this.#clock.now(),
      run: this.#commands.server,
      epoch: this.#epochs.get(topic.name) ?? seen?.epoch ?? "",
    };
    return topic.history === null ? this.#tell(batch) : this.#append(batch);
  }

  async #tell({ topic, entries, idempotencyKey }: Batch<Sent>): Promise<void> {
    const { meta, channel } = this.#keys.of(topic.name);
    const key = this.#idempotency(topic, idempotencyKey);
    const payloads = entries.map(({ payload }) => payload);
    const args = [channel, key === undefined ? 0 : KEY_TIME, ...payloads];
    const repeated = await this.#commands.run(TELL, key === undefined ? [meta] : [meta, key], args);
    for (const { resolve } of entries) {
      resolve(repeated === 1 ? { ...ACCEPTED, repeated: true } : ACCEPTED);
    }
  }

  async #append({ topic, entries, seen, idempotencyKey }: Batch<Sent>): Promise<void> {
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

  async #find(losts: readonly LostBatch<Sent>[]): Promise<void> {
    const { batch: { topic }, sent: first } = losts[0];
    const { meta, stream } = this.#keys.of(topic.name);
    const since = this.#commands.engineTime(first.at) - MARGIN;
    const ids = losts.flatMap(({ batch }) => batch.entries.map(({ id }) => id));
    const [answer, sure, ...offsets] = await this.#commands.run<[Buffer, number, ...number[]]>(
      FIND,
      [meta, stream],
      [since, ...ids],
    );
    const now = answer.toString();
    let i = 0;
    for (const { batch: { entries, idempotencyKey }, sent: { epoch, run }, why } of losts) {
      // A restarted Redis may have forgotten it, another connection's command may be done yet, and a repeat has
      // the name of the first one there.
      const never = sure === 1 && epoch === now && this.#commands.isOver(run) &&
        idempotencyKey === undefined;
      for (const { resolve } of entries) {
        const offset = offsets[i++];
        if (offset > 0) resolve(accepted({ epoch: now, offset }));
        else if (never) resolve(refused(topic, why));
      }
    }
  }
}
