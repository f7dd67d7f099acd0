import { createHash } from "node:crypto";
import { ConnectionLost } from "../engines/connection_lost.ts";
import { ACCEPTED, accepted, refused, unknown } from "../engines/publish_results.ts";
import { MARGIN, Searches } from "../engines/searches.ts";
import type { Clock } from "../topics/clock.ts";
import type { EngineTopic, Message, Position, PublishResult } from "../topics/engine.ts";
import { encodePayload } from "../topics/payload.ts";
import { historyError } from "./client.ts";
import type { Connection } from "./connection.ts";
import type { History } from "./history.ts";
import { isNotFound, readAnswer } from "./jetstream.ts";
import { epochOf, type Streams } from "./streams.ts";
import { encodeToken, type Subjects } from "./subjects.ts";

/** How often a publication is sent to a stream that turns out not to be there. */
const TRIES = 5;

/** One publication that is not answered. */
interface Entry {
  readonly topic: EngineTopic;
  readonly id: string;
  /** When it was published here. */
  readonly began: number;
  /** When it was sent, to which server, and to which epoch of the stream. */
  sent: number;
  server: string;
  epoch: string;
  /** How far the stream was known to go then. */
  floor: number;
  /** Set when it was announced: its place. */
  heard: PublishResult | null;
}

interface Ack {
  readonly stream: string;
  readonly seq: number;
  readonly duplicate?: boolean;
}

/** Something that was sent and not answered. */
interface Lost {
  readonly began: number;
  readonly entry: Entry;
  /** Says what was found out. */
  readonly answer: (result: PublishResult) => void;
  readonly over: () => void;
}

/** Publishes, and finds out what became of those that were not answered. */
export class Publishing {
  readonly #connection: Connection;
  readonly #streams: Streams;
  readonly #subjects: Subjects;
  readonly #history: History;
  readonly #clock: Clock;
  /** All that is not answered, by name. */
  readonly #entries = new Map<string, Entry>();
  /** Settled when the newest of a topic was sent: the next one is sent after it. */
  readonly #turns = new Map<string, Promise<void>>();
  /** The newest of each topic that is not answered. */
  readonly #underWay = new Map<string, Promise<PublishResult>>();
  readonly #searches: Searches<Lost>;
  #closed = false;

  /**
   * @param connection Where to publish.
   * @param streams Finds the streams.
   * @param subjects Names the topics.
   * @param history Where to look for what was not answered.
   * @param clock Where time comes from.
   */
  constructor(
    connection: Connection,
    streams: Streams,
    subjects: Subjects,
    history: History,
    clock: Clock,
  ) {
    this.#connection = connection;
    this.#streams = streams;
    this.#subjects = subjects;
    this.#history = history;
    this.#clock = clock;
    this.#searches = new Searches({
      clock,
      whenUp: (time) => connection.whenUp(time),
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
    const { info } = this.#connection;
    if (!this.#connection.up || info === undefined) return refused(topic, "NATS cannot be reached");
    const error = topic.history === null ? null : historyError(info);
    if (error !== null) return { accepted: false, error };
    const { name } = topic;
    const done = this.#publish(topic, message, seen).finally(() => {
      if (this.#underWay.get(name) === done) this.#underWay.delete(name);
    });
    this.#underWay.set(name, done);
    return done;
  }

  /**
   * Tells when all that was published to a topic so far has been answered.
   *
   * @param topic The topic.
   * @returns Settled then; undefined when that is so now.
   */
  settled(topic: string): Promise<unknown> | undefined {
    return this.#underWay.get(topic);
  }

  /**
   * Takes note of an announcement: it may be one that was not answered.
   *
   * @param id The publication's name.
   * @param position Its position, if it has one.
   */
  heard(id: string, position: Position | undefined): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.heard = accepted(position);
  }

  /** Ends it: what is not answered is not looked for. */
  close(): void {
    this.#closed = true;
    this.#searches.close();
  }

  async #publish(
    topic: EngineTopic,
    message: Message,
    seen: Position | null,
  ): Promise<PublishResult> {
    const { id, idempotencyKey } = message;
    const began = this.#clock.now();
    const entry: Entry = {
      topic,
      id,
      began,
      sent: began,
      server: "",
      epoch: "",
      floor: 0,
      heard: null,
    };
    this.#entries.set(id, entry);
    const before = this.#turns.get(topic.name);
    let sent = () => {};
    const turn = new Promise<void>((resolve) => sent = resolve);
    this.#turns.set(topic.name, turn);
    try {
      const payload = encodePayload(message);
      const fields = idempotencyKey === undefined
        ? undefined
        : { "Nats-Msg-Id": keyOf(topic, idempotencyKey) };
      if (before !== undefined) await before;
      for (let i = 1;; i++) {
        const stream = await this.#prepare(topic, seen);
        const subject = this.#subjects.publications(topic, stream);
        entry.sent = this.#clock.now();
        entry.server = this.#connection.info?.server_id ?? "";
        entry.epoch = epochOf(stream);
        entry.floor = this.#streams.last(stream);
        const asked = this.#connection.ask(subject, payload, fields);
        sent();
        try {
          return await this.#acknowledged(entry, readAnswer<Ack>(await asked));
        } catch (error) {
          if (i === TRIES || !isNotFound(error)) throw error;
          await this.#streams.gone(stream);
        }
      }
    } catch (error) {
      return await this.#failed(entry, error as Error);
    } finally {
      sent();
      this.#entries.delete(id);
      if (this.#turns.get(topic.name) === turn) this.#turns.delete(topic.name);
    }
  }

  /** Gives the stream, another one if somebody has seen what this one does not have. */
  async #prepare(topic: EngineTopic, seen: Position | null): Promise<string> {
    const stream = await this.#streams.of(topic);
    if (topic.history === null || seen === null || seen.epoch !== epochOf(stream)) return stream;
    if (seen.offset <= this.#streams.last(stream)) return stream;
    const state = await this.#streams.state(topic);
    if (state.epoch !== seen.epoch || seen.offset <= state.last) return state.stream;
    await this.#streams.renew(topic, seen.epoch);
    return await this.#streams.of(topic);
  }

  async #acknowledged(
    { topic, epoch: sentTo, floor }: Entry,
    { stream, seq, duplicate = false }: Ack,
  ): Promise<PublishResult> {
    if (topic.history === null) return duplicate ? { ...ACCEPTED, repeated: true } : ACCEPTED;
    const epoch = epochOf(stream);
    const position = { epoch, offset: seq };
    if (duplicate) return { ...accepted(position), repeated: true };
    if (epoch === sentTo && seq <= floor) {
      // The stream has lost its end meanwhile, and this publication has the place of another one.
      await this.#streams.renew(topic, epoch);
      return unknown(topic, "the stream has lost its end");
    }
    this.#streams.heard(stream, seq);
    return accepted(position);
  }

  async #failed(entry: Entry, error: Error): Promise<PublishResult> {
    const { topic } = entry;
    const lost = error instanceof ConnectionLost ? error.sent : false;
    if (!lost) return refused(topic, error.message, error);
    // What was asked before it was sent has failed, and it was not sent.
    if (entry.server === "") return refused(topic, error.message, error);
    if (topic.history !== null && entry.heard === null) {
      const found = await new Promise<PublishResult | null>((answer) => {
        const { began } = entry;
        this.#searches.add(topic.name, { began, entry, answer, over: () => answer(null) });
      });
      if (found !== null) return found.accepted === true ? found : refused(topic, error.message);
    }
    return entry.heard ?? unknown(topic, `no answer came: ${error.message}`);
  }

  /** Looks in a topic's history for what was sent and not answered. */
  async #find(losts: readonly Lost[]): Promise<void> {
    const { topic, sent } = losts[0].entry;
    const names = new Set(losts.map(({ entry }) => entry.id));
    const since = this.#streams.engineTime(sent) - MARGIN;
    const { state, found } = await this.#history.find(topic, since, names);
    for (const lost of losts) {
      const { id, epoch, server, floor, heard } = lost.entry;
      const offset = found.get(id);
      if (offset !== undefined) lost.answer(accepted({ epoch: state.epoch, offset }));
      else if (heard !== null) lost.answer(heard);
      else {
        // What one server had not read when it ended is gone with it; in a cluster another may have it.
        const over = this.#connection.info?.server_id !== server &&
          this.#connection.info?.cluster === undefined;
        const never = over && state.epoch === epoch && state.last >= floor;
        if (never) lost.answer({ accepted: false });
      }
    }
  }
}

/** Names an idempotency key in a stream that many topics share. */
function keyOf({ name }: EngineTopic, key: string): string {
  return `${encodeToken(name)}.${createHash("sha256").update(key).digest("base64url")}`;
}
