import { createHash } from "node:crypto";
import { type Batch, Batches, type LostBatch } from "../engines/batches.ts";
import { ConnectionLost } from "../engines/connection_lost.ts";
import { ACCEPTED, accepted, refused, unknown } from "../engines/publish_results.ts";
import { MARGIN } from "../engines/searches.ts";
import type { Clock } from "../topics/clock.ts";
import type { EngineTopic, Message, Position, PublishResult } from "../topics/engine.ts";
import { historyError } from "./client.ts";
import type { Connection } from "./connection.ts";
import type { History } from "./history.ts";
import { isNotFound, readAnswer } from "./jetstream.ts";
import { epochOf, type Streams } from "./streams.ts";
import { encodeToken, type Subjects } from "./subjects.ts";
import { encodeMessage } from "./wire.ts";

/** How often a batch is sent to a stream that turns out not to be there. */
const TRIES = 5;
/** The most bytes of one message where the server does not say. */
const MESSAGE = 1024 * 1024;

/** When and where a batch was sent. */
interface Sent {
  readonly at: number;
  /** The server that it was sent to, and the epoch of the stream. */
  readonly server: string;
  readonly epoch: string;
  /** How far the stream was known to go then. */
  readonly floor: number;
}

interface Ack {
  readonly stream: string;
  readonly seq: number;
  readonly duplicate?: boolean;
}

/**
 * Publishes: a batch is one message. Publications with history go alone, since the sequence number of a message
 * is an offset.
 */
export class Publishing {
  readonly #connection: Connection;
  readonly #streams: Streams;
  readonly #subjects: Subjects;
  readonly #history: History;
  readonly #clock: Clock;
  readonly #batches: Batches<Sent>;
  /** Settled when the newest of a topic was sent: the next one is sent after it. */
  readonly #turns = new Map<string, Promise<void>>();
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
    this.#batches = new Batches({
      clock,
      name: "NATS",
      // Half of what a message may have leaves room for what comes on top.
      maxBytes: () => (connection.info?.max_payload ?? MESSAGE) / 2,
      together: ({ history }) => history === null,
      ask: (batch) => this.#ask(batch),
      isRefusal: (error) => !(error instanceof ConnectionLost && error.sent),
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
    return this.#batches.add(topic, message, seen);
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

  async #ask(batch: Batch<Sent>): Promise<void> {
    const { topic, entries, seen, idempotencyKey } = batch;
    let turn = this.#takeTurn(topic.name);
    try {
      const message = encodeMessage(entries.map(({ payload }) => payload));
      const fields = idempotencyKey === undefined
        ? undefined
        : { "Nats-Msg-Id": keyOf(topic, idempotencyKey) };
      for (let i = 1;; i++) {
        if (turn.before !== undefined) await turn.before;
        const stream = await this.#prepare(topic, seen);
        const subject = this.#subjects.publications(topic, stream);
        batch.sent = {
          at: this.#clock.now(),
          server: this.#connection.info?.server_id ?? "",
          epoch: epochOf(stream),
          floor: this.#streams.last(stream),
        };
        const asked = this.#connection.ask(subject, message, fields);
        turn.end();
        let ack: Ack;
        try {
          ack = readAnswer<Ack>(await asked);
        } catch (error) {
          if (i === TRIES || !isNotFound(error)) throw error;
          // Nobody has it, and what is published from now on goes behind it.
          batch.sent = null;
          turn = this.#takeTurn(topic.name);
          await this.#streams.gone(stream);
          continue;
        }
        const result = await this.#acknowledged(batch, ack);
        for (const { resolve } of entries) resolve(result);
        return;
      }
    } finally {
      turn.end();
    }
  }

  /** Lines up behind what was published to a topic before. */
  #takeTurn(name: string): { before: Promise<void> | undefined; end(): void } {
    const before = this.#turns.get(name);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turns.set(name, promise);
    const end = () => {
      resolve();
      if (this.#turns.get(name) === promise) this.#turns.delete(name);
    };
    return { before, end };
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

  /** Reads what the stream says of a message; where that has a place, it is one publication. */
  async #acknowledged(
    { topic, sent }: Batch<Sent>,
    { stream, seq, duplicate = false }: Ack,
  ): Promise<PublishResult> {
    if (topic.history === null) return duplicate ? { ...ACCEPTED, repeated: true } : ACCEPTED;
    const epoch = epochOf(stream);
    const position = { epoch, offset: seq };
    if (duplicate) return { ...accepted(position), repeated: true };
    if (epoch === sent!.epoch && seq <= sent!.floor) {
      // The stream has lost its end meanwhile, and this publication has the place of another one.
      const lost = "the stream has lost its end";
      return await this.#streams.renew(topic, epoch).then(
        () => unknown(topic, lost),
        (error) => unknown(topic, `${lost}, and no other one could be begun: ${error.message}`),
      );
    }
    this.#streams.heard(stream, seq);
    return accepted(position);
  }

  /** Looks in a topic's history for what was sent and not answered. */
  async #find(losts: readonly LostBatch<Sent>[]): Promise<void> {
    const { batch: { topic }, sent: first } = losts[0];
    const names = new Set(losts.flatMap(({ batch }) => batch.entries.map(({ id }) => id)));
    const since = this.#streams.engineTime(first.at) - MARGIN;
    const { state, found } = await this.#history.find(topic, since, names);
    for (const { batch: { entries, idempotencyKey }, sent, why } of losts) {
      const { server, epoch, floor } = sent;
      // What one server had not read when it ended is gone with it; in a cluster another may have it.
      const over = this.#connection.info?.server_id !== server &&
        this.#connection.info?.cluster === undefined;
      // A repeat has the name of the first one there.
      const never = idempotencyKey === undefined && over && state.epoch === epoch &&
        state.last >= floor;
      for (const { id, heard, resolve } of entries) {
        const offset = found.get(id);
        if (offset !== undefined) resolve(accepted({ epoch: state.epoch, offset }));
        else if (heard !== null) resolve(heard);
        else if (never) resolve(refused(topic, why));
      }
    }
  }
}

/** Names an idempotency key in a stream that many topics share. */
function keyOf({ name }: EngineTopic, key: string): string {
  return `${encodeToken(name)}.${createHash("sha256").update(key).digest("base64url")}`;
}
