import { randomBytes } from "node:crypto";
import type { EngineTopic, HistorySettings } from "../topics/engine.ts";
import type { NatsMessage } from "./client.ts";
import type { Connection } from "./connection.ts";
import type { Subjects } from "./subjects.ts";

/** How long an idempotency key is known, in seconds; a stream keeps what it has for as long, at least. */
const KEY_TIME = 300;
const NANO = 1e9;
/** What JetStream calls a stream that is not there, one that another server has made, and one made otherwise. */
const NOT_FOUND = 10059;
const OVERLAP = 10065;
const OTHERWISE = 10058;
/** Statuses of messages: the end of a batch, one with nothing in it, nobody there to answer. */
const END = 204;
const EMPTY = 404;
const UNHEARD = 503;
/** How often a stream is looked for while servers delete and make it at the same time. */
const TRIES = 10;

/** An error that JetStream has answered. */
export class JetStreamError extends Error {
  override readonly name = "JetStreamError";
  /** What went wrong, as JetStream counts it. */
  readonly code: number;

  /**
   * @param message What JetStream says.
   * @param code What went wrong, as JetStream counts it.
   */
  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

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
  readonly #subjects: Subjects;
  readonly #replicas: number;
  /** Streams that are there, as far as known, by their subjects. */
  readonly #known = new Map<string, Promise<string>>();
  /** The last sequence number that was heard of, by stream; only of this connection. */
  readonly #last = new Map<string, number>();
  /** How far the server's clock is ahead of this one, in milliseconds. */
  #ahead = 0;

  /**
   * @param connection Where to ask.
   * @param subjects Names the streams.
   * @param replicas On how many servers they are made.
   */
  constructor(connection: Connection, subjects: Subjects, replicas: number) {
    this.#connection = connection;
    this.#subjects = subjects;
    this.#replicas = replicas;
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
    const { subjects } = history === null ? this.#subjects.live : this.#subjects.history(history);
    return this.#once(subjects, () => history === null ? this.#makeLive() : this.#find(history));
  }

  /**
   * Gives the stream of members, which is made if it is not there.
   *
   * @returns The stream's name.
   */
  presence(): Promise<string> {
    const { stream, subjects } = this.#subjects.presence;
    return this.#once(subjects, () =>
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
    for (const [subjects, known] of this.#known) {
      if (await known === stream) this.#known.delete(subjects);
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
      return { ...await this.api<Info>(`STREAM.INFO.${stream}`, ""), stream };
    });
    const { first_seq: first, last_seq: last } = state;
    const time = ts === undefined ? Date.now() : Date.parse(ts);
    this.#ahead = time - Date.now();
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
    try {
      // By its own name: another server may have deleted it and made the next one by now.
      await this.api(`STREAM.DELETE.${stream}`, "");
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    await this.gone(stream);
  }

  /**
   * Reads messages of a stream.
   *
   * @param stream Its name.
   * @param range Which: a batch after a sequence number or a time, or the last ones.
   * @returns The messages, and how many more there are. Rejects for a stream that is gone.
   */
  async get(stream: string, range: object): Promise<{ messages: NatsMessage[]; pending: number }> {
    const answers = await this.#connection.askForMany(
      `$JS.API.DIRECT.GET.${stream}`,
      JSON.stringify(range),
    );
    const { headers } = answers.pop()!;
    if (headers?.code === EMPTY) return { messages: [], pending: 0 };
    if (headers?.code === UNHEARD) throw new JetStreamError("The stream is not there", NOT_FOUND);
    if (headers === undefined || headers.code !== END) {
      throw new JetStreamError(headers?.description ?? "No end of a batch", headers?.code ?? 0);
    }
    return { messages: answers, pending: Number(headers.get("Nats-Num-Pending")) };
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

  /**
   * Asks JetStream.
   *
   * @param what The end of the subject.
   * @param body What to send, as JSON.
   * @returns Its answer. Rejects with {@linkcode JetStreamError}, or when no answer came.
   */
  async api<T>(what: string, body: unknown): Promise<T> {
    const payload = body === "" ? "" : JSON.stringify(body);
    return readAnswer<T>(await this.#connection.ask(`$JS.API.${what}`, payload));
  }

  #once(subjects: string, find: () => Promise<string>): Promise<string> {
    let known = this.#known.get(subjects);
    if (known === undefined) {
      known = find();
      this.#known.set(subjects, known);
      known.catch(() => {
        if (this.#known.get(subjects) === known) this.#known.delete(subjects);
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
    const { stream, subjects } = this.#subjects.history(history);
    for (let i = 0; i < TRIES; i++) {
      const { streams } = await this.api<{ streams: string[] | null }>("STREAM.NAMES", {
        subject: subjects,
      });
      const there = streams?.find((name) => name.startsWith(stream));
      if (there !== undefined) return there;
      try {
        return await this.#make(`${stream}${freshEpoch()}`, {
          subjects: [subjects],
          storage: "file",
          // The one before those that are kept shows that nothing is missing between.
          max_msgs_per_subject: history.count + 1,
          // JetStream knows a key for no longer than it keeps a publication.
          max_age: streamAge(history) * 1e6,
          duplicate_window: KEY_TIME * NANO,
          allow_direct: true,
          republish: { src: subjects, dest: this.#subjects.announced },
        });
      } catch (error) {
        if (!(error instanceof JetStreamError && error.code === OVERLAP)) throw error;
      }
    }
    throw new Error(`Other streams have the subjects ${subjects}`);
  }

  async #make(name: string, config: object): Promise<string> {
    const body = { name, retention: "limits", discard: "old", num_replicas: this.#replicas };
    try {
      await this.api(`STREAM.CREATE.${name}`, { ...body, ...config });
    } catch (error) {
      // With other replicas, say: an operator may have changed it.
      if (!(error instanceof JetStreamError && error.code === OTHERWISE)) throw error;
    }
    return name;
  }
}

/**
 * Reads an answer of JetStream.
 *
 * @param message The answer.
 * @returns What it says.
 * @throws {JetStreamError} For an error.
 */
export function readAnswer<T>({ data, headers }: NatsMessage): T {
  if (data.length === 0 && headers !== undefined && headers.code >= 400) {
    const { code, description } = headers;
    if (code === UNHEARD) throw new JetStreamError("The stream is not there", NOT_FOUND);
    throw new JetStreamError(description, code);
  }
  const answer = JSON.parse(new TextDecoder().decode(data));
  if (answer.error === undefined) return answer;
  throw new JetStreamError(answer.error.description, answer.error.err_code ?? answer.error.code);
}

/**
 * Tells whether a stream is not there: nobody has done, or will do, what was asked.
 *
 * @param error What was answered.
 * @returns Whether that is why.
 */
export function isNotFound(error: unknown): boolean {
  return error instanceof JetStreamError && error.code === NOT_FOUND;
}

function freshEpoch(): string {
  return randomBytes(8).toString("hex");
}
