import { randomBytes } from "node:crypto";
import type { Clock } from "../topics/clock.ts";
import type { EngineTopic, HistorySettings } from "../topics/engine.ts";
import type { Connection } from "./connection.ts";
import { isNotFound, type JetStream, JetStreamError, readAnswer } from "./jetstream.ts";
import type { Subjects } from "./subjects.ts";

/** How long an idempotency key is known, in seconds; a stream keeps what it has for as long, at least. */
const KEY_TIME = 300;
const NANO = 1e9;
/** What JetStream calls a message that came too late, and a stream that was made otherwise. */
const WRONG_LAST = 10071;
const OTHERWISE = 10058;
/** How often a stream is looked for while servers delete and make it at the same time. */
const TRIES = 10;
/** How long it may take the server that began an epoch to make its stream, and how often to look, in milliseconds. */
const MAKING = 1_000;
const PAUSE = 20;

/** How a stream of publications stands. */
export interface StreamState {
  /** The stream's name, which has its epoch. */
  readonly stream: string;
  /** Its incarnation. */
  readonly epoch: string;
  /** Where it begins: whatever was before is not kept. */
  readonly first: number;
  /** Its last sequence number. */
  readonly last: number;
  /** The server's clock, in milliseconds since 1970. */
  readonly time: number;
}

interface Info {
  readonly state: { readonly first_seq: number; readonly last_seq: number };
  readonly ts?: string;
}

/**
 * Tells the epoch of a stream: the end of its name, so that all that names the stream names the epoch too.
 *
 * @param stream The name.
 * @returns The epoch.
 */
export function epochOf(stream: string): string {
  return stream.slice(stream.lastIndexOf("_") + 1);
}

/**
 * Tells how long a stream keeps what it has.
 *
 * @param history The kind of history.
 * @returns Milliseconds: no less than an idempotency key is known.
 */
export function streamAge({ age }: HistorySettings): number {
  return Math.ceil(Math.max(age, KEY_TIME) * 1000);
}

/** Finds and makes streams. There is one for each kind of history, and every epoch of it is another one. */
export class Streams {
  readonly #connection: Connection;
  readonly #jetstream: JetStream;
  readonly #subjects: Subjects;
  readonly #replicas: number;
  readonly #clock: Clock;
  /** Streams that are there, as far as known, by what their names begin with. */
  readonly #known = new Map<string, Promise<string>>();
  /** The last sequence number that was heard of, by stream; only of this connection. */
  readonly #last = new Map<string, number>();
  /** How far the server's clock is ahead of this one, in milliseconds. */
  #ahead = 0;

  /**
   * @param connection Where epochs are begun.
   * @param jetstream Where to ask.
   * @param subjects Names the streams.
   * @param replicas On how many servers they are made.
   * @param clock Where time comes from.
   */
  constructor(
    connection: Connection,
    jetstream: JetStream,
    subjects: Subjects,
    replicas: number,
    clock: Clock,
  ) {
    this.#connection = connection;
    this.#jetstream = jetstream;
    this.#subjects = subjects;
    this.#replicas = replicas;
    this.#clock = clock;
  }

  /** Forgets what is known: another connection, and maybe another server. */
  forget(): void {
    this.#known.clear();
    this.#last.clear();
  }

  /**
   * Takes note of a sequence number.
   *
   * @param stream The stream's name.
   * @param sequence The number.
   */
  heard(stream: string, sequence: number): void {
    if (sequence > this.last(stream)) this.#last.set(stream, sequence);
  }

  /**
   * Tells how far a stream is known to go.
   *
   * @param stream Its name.
   * @returns The highest sequence number that was heard of on this connection.
   */
  last(stream: string): number {
    return this.#last.get(stream) ?? 0;
  }

  /**
   * Gives the time of the server.
   *
   * @param time A time of this machine.
   * @returns What the server's clock said then, as far as known.
   */
  engineTime(time: number): number {
    return time + this.#ahead;
  }

  /**
   * Gives the stream of a topic, which is made if it is not there.
   *
   * @param topic The topic.
   * @returns The stream's name: always the same promise while it is known.
   */
  of({ history }: EngineTopic): Promise<string> {
    const { stream } = history === null ? this.#subjects.live : this.#subjects.history(history);
    return this.#once(stream, () => history === null ? this.#makeLive() : this.#find(history));
  }

  /**
   * Gives the stream of members, which is made if it is not there.
   *
   * @returns The stream's name.
   */
  presence(): Promise<string> {
    const { stream, subjects } = this.#subjects.presence;
    return this.#once(stream, () =>
      this.#make(stream, {
        subjects: [subjects],
        storage: "memory",
        max_msgs_per_subject: 1,
        allow_direct: true,
        allow_msg_ttl: true,
      }));
  }

  /**
   * Forgets a stream that turned out not to be there.
   *
   * @param stream Its name.
   */
  async gone(stream: string): Promise<void> {
    for (const [kind, known] of this.#known) {
      if (!stream.startsWith(kind) || await known.catch(() => "") !== stream) continue;
      if (this.#known.get(kind) === known) this.#known.delete(kind);
    }
  }

  /**
   * Asks how the stream of a topic stands.
   *
   * @param topic A topic with history.
   * @returns Its state.
   */
  async state(topic: EngineTopic): Promise<StreamState> {
    const { state, ts, stream } = await this.within(() => this.of(topic), async (stream) => {
      return { ...await this.#jetstream.api<Info>(`STREAM.INFO.${stream}`, ""), stream };
    });
    const { first_seq: first, last_seq: last } = state;
    const time = ts === undefined ? this.#clock.now() : Date.parse(ts);
    this.#ahead = time - this.#clock.now();
    this.heard(stream, last);
    return { stream, epoch: epochOf(stream), first, last, time };
  }

  /**
   * Begins a new epoch of a topic's stream, and so of all that are in it, unless there is another already.
   *
   * @param topic A topic with history.
   * @param epoch The epoch to end.
   */
  async renew(topic: EngineTopic, epoch: string): Promise<void> {
    const stream = await this.of(topic);
    if (epochOf(stream) !== epoch) return;
    const now = await this.#epoch(topic.history!);
    if (now.epoch === epoch && await this.#begin(topic.history!, now.sequence) !== null) {
      await this.#jetstream.api(`STREAM.DELETE.${stream}`, "").catch((error) => {
        if (!isNotFound(error)) throw error;
      });
    }
    await this.gone(stream);
  }

  /**
   * Does something with a stream, and again with another one where it turns out not to be there.
   *
   * @param find Gives the stream.
   * @param act What to do.
   * @returns What it gives.
   */
  async within<T>(find: () => Promise<string>, act: (stream: string) => Promise<T>): Promise<T> {
    for (let i = 1;; i++) {
      const stream = await find();
      try {
        return await act(stream);
      } catch (error) {
        if (i === TRIES || !isNotFound(error)) throw error;
        await this.gone(stream);
      }
    }
  }

  #once(kind: string, find: () => Promise<string>): Promise<string> {
    let known = this.#known.get(kind);
    if (known === undefined) {
      known = find();
      this.#known.set(kind, known);
      known.catch(() => {
        if (this.#known.get(kind) === known) this.#known.delete(kind);
      });
    }
    return known;
  }

  #makeLive(): Promise<string> {
    const { stream, subjects } = this.#subjects.live;
    return this.#make(stream, {
      subjects: [subjects],
      storage: "memory",
      // Only what gives publications their order is needed: that they pass through.
      max_msgs: 1,
      max_age: KEY_TIME * NANO,
      duplicate_window: KEY_TIME * NANO,
      republish: { src: subjects, dest: this.#subjects.announced },
    });
  }

  /** Finds the stream of a kind of history, whatever its epoch is. */
  async #find(history: HistorySettings): Promise<string> {
    const { stream: kind } = this.#subjects.history(history);
    let since = this.#clock.now();
    for (let last = "";;) {
      const { epoch, sequence } = await this.#epoch(history);
      const stream = `${kind}${epoch}`;
      if (epoch !== last) since = this.#clock.now();
      last = epoch;
      if (epoch !== "" && await this.#isThere(stream)) return stream;
      // Nobody but the server that began an epoch makes its stream: it is not made again once it is deleted.
      if (epoch === "" || this.#clock.now() - since > MAKING) {
        const begun = await this.#begin(history, sequence);
        if (begun !== null) return begun;
      } else {
        await new Promise<void>((resolve) => this.#clock.after(PAUSE, resolve));
      }
    }
  }

  /** Tells which epoch a kind of history has, "" for none, and the sequence number of that. */
  async #epoch(history: HistorySettings): Promise<{ epoch: string; sequence: number }> {
    const { epoch } = this.#subjects.history(history);
    const message = await this.within(
      () => this.#makeEpochs(),
      (stream) => this.#jetstream.last(stream, epoch),
    );
    if (message === null) return { epoch: "", sequence: 0 };
    const sequence = Number(message.headers!.get("Nats-Sequence"));
    return { epoch: new TextDecoder().decode(message.data), sequence };
  }

  /**
   * Begins an epoch in place of the one that has this sequence number. One server of those that try succeeds,
   * and is given the new stream.
   */
  async #begin(history: HistorySettings, sequence: number): Promise<string | null> {
    const { epoch: subject, stream: kind } = this.#subjects.history(history);
    const epoch = freshEpoch();
    try {
      readAnswer(
        await this.#connection.ask(subject, epoch, {
          "Nats-Expected-Last-Subject-Sequence": `${sequence}`,
        }),
      );
    } catch (error) {
      if (error instanceof JetStreamError && error.code === WRONG_LAST) return null;
      throw error;
    }
    const stream = `${kind}${epoch}`;
    const stored = this.#subjects.stored(stream);
    return await this.#make(stream, {
      subjects: [stored],
      storage: "file",
      // The one before those that are kept shows that nothing is missing between.
      max_msgs_per_subject: history.count + 1,
      // JetStream knows a key for no longer than it keeps a publication.
      max_age: streamAge(history) * 1e6,
      duplicate_window: KEY_TIME * NANO,
      allow_direct: true,
      republish: { src: stored, dest: this.#subjects.announced },
    });
  }

  async #isThere(stream: string): Promise<boolean> {
    try {
      await this.#jetstream.api(`STREAM.INFO.${stream}`, "");
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  #makeEpochs(): Promise<string> {
    const { stream, subjects } = this.#subjects.epochs;
    return this.#once(stream, () =>
      this.#make(stream, {
        subjects: [subjects],
        storage: "file",
        max_msgs_per_subject: 1,
        allow_direct: true,
      }));
  }

  async #make(name: string, config: object): Promise<string> {
    const body = { name, retention: "limits", discard: "old", num_replicas: this.#replicas };
    try {
      await this.#jetstream.api(`STREAM.CREATE.${name}`, { ...body, ...config });
    } catch (error) {
      // With other replicas, say: an operator may have changed it.
      if (!(error instanceof JetStreamError && error.code === OTHERWISE)) throw error;
    }
    return name;
  }
}

function freshEpoch(): string {
  return randomBytes(8).toString("hex");
}
