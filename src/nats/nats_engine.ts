import { failure, Standing } from "../engines/standing.ts";
import { asError } from "../topics/awaitable.ts";
import { type Clock, SYSTEM_CLOCK } from "../topics/clock.ts";
import type {
  Engine,
  EngineEvents,
  EngineState,
  EngineTopic,
  HistoryPage,
  HistoryRange,
  Member,
  MemberCount,
  Message,
  Position,
  PresenceEntry,
  PublishResult,
} from "../topics/engine.ts";
import { checkConnect, checkServer, finalError, historyError } from "./client.ts";
import { Connection } from "./connection.ts";
import { History } from "./history.ts";
import { JetStream } from "./jetstream.ts";
import { checkReplicas, type NatsEngineOptions } from "./options.ts";
import { Presence } from "./presence.ts";
import { Publishing } from "./publishing.ts";
import { Streams } from "./streams.ts";
import { Subjects } from "./subjects.ts";
import { Subscriptions } from "./subscriptions.ts";

/** The engine over NATS. */
export class NatsEngine implements Engine {
  readonly name = "nats";
  readonly #clock: Clock = SYSTEM_CLOCK;
  readonly #subjects: Subjects;
  readonly #connection: Connection;
  readonly #streams: Streams;
  readonly #history: History;
  readonly #presence: Presence;
  readonly #publishing: Publishing;
  readonly #subscriptions: Subscriptions;
  readonly #standing: Standing;

  /**
   * @param connect The application's function.
   * @param options The options.
   */
  constructor(
    connect: () => PromiseLike<unknown>,
    { prefix = "duet", replicas = 1 }: NatsEngineOptions = {},
  ) {
    checkConnect(connect);
    this.#subjects = new Subjects(prefix);
    this.#standing = new Standing({
      clock: this.#clock,
      name: "NATS",
      finalError,
      close: () => this.close(),
    });
    this.#connection = new Connection({
      clock: this.#clock,
      connect: async () => await connect(),
      greet: () => this.#greet(),
      up: () => this.#standing.connected(),
      down: (error) => this.#down(error),
      refused: (error) => this.#refused(error),
    });
    const jetstream = new JetStream(this.#connection);
    this.#streams = new Streams(
      this.#connection,
      jetstream,
      this.#subjects,
      checkReplicas(replicas),
      this.#clock,
    );
    this.#history = new History(this.#streams, jetstream, this.#subjects);
    this.#presence = new Presence(this.#connection, jetstream, this.#streams, this.#subjects);
    this.#publishing = new Publishing(
      this.#connection,
      this.#streams,
      this.#subjects,
      this.#history,
      this.#clock,
    );
    this.#subscriptions = new Subscriptions(this.#connection, this.#subjects, this.#history, {
      publication: (topic, publication, place) => {
        const { id, offset } = publication;
        const position = place === null ? undefined : { epoch: place.epoch, offset: offset! };
        this.#publishing.heard(id, position);
        this.#standing.events?.publication(topic, publication, place);
      },
      presence: (topic, kind, member) => this.#standing.events?.presence(topic, kind, member),
      control: (message) => this.#standing.events?.control(message),
      error: (error) => this.#standing.events?.error(error),
    });
  }

  /** How NATS is doing. */
  get state(): EngineState {
    const { up, since } = this.#standing;
    return { up, since, lag: this.#connection.lag / 1000 };
  }

  start(events: EngineEvents): Promise<void> {
    const started = this.#standing.start(events);
    this.#connection.start();
    return started;
  }

  async close(): Promise<void> {
    this.#standing.close();
    await this.#publishing.close();
    await this.#connection.close();
  }

  publish(
    topic: EngineTopic,
    message: Message,
    seen: Position | null,
  ): Promise<PublishResult> | PublishResult {
    return this.#publishing.publish(topic, message, seen);
  }

  async subscribe(topics: readonly EngineTopic[]): Promise<void> {
    if (topics.some(({ history }) => history !== null)) this.#checkHistory();
    // A stream announces when it has stored: what was published before must not come.
    await Promise.all(topics.map(({ name }) => this.#publishing.settled(name)));
    await this.#ask(() => this.#subscriptions.subscribe(topics));
  }

  async unsubscribe(topics: readonly EngineTopic[]): Promise<void> {
    await this.#ask(() => this.#subscriptions.unsubscribe(topics));
  }

  async read(topic: EngineTopic, range: HistoryRange): Promise<HistoryPage> {
    this.#checkHistory();
    await this.#publishing.settled(topic.name);
    return await this.#ask(() => this.#history.read(topic, range));
  }

  async positions(topics: readonly EngineTopic[]): Promise<readonly Position[]> {
    this.#checkHistory();
    await Promise.all(topics.map(({ name }) => this.#publishing.settled(name)));
    return await this.#ask(() => this.#history.positions(topics));
  }

  async renew(topic: EngineTopic, epoch: string): Promise<Position> {
    this.#checkHistory();
    return await this.#ask(async () => {
      await this.#streams.renew(topic, epoch);
      return await this.#history.position(topic);
    });
  }

  async enter(entries: readonly PresenceEntry[], seconds: number): Promise<void> {
    this.#checkHistory();
    await this.#ask(() => this.#presence.enter(entries, seconds));
  }

  async leave(entries: readonly PresenceEntry[]): Promise<void> {
    this.#checkHistory();
    await this.#ask(() => this.#presence.leave(entries));
  }

  async members(topic: EngineTopic, limit: number): Promise<readonly Member[]> {
    this.#checkHistory();
    return await this.#ask(() => this.#presence.members(topic, limit));
  }

  async memberCount(topic: EngineTopic): Promise<MemberCount> {
    this.#checkHistory();
    return await this.#ask(() => this.#presence.count(topic));
  }

  async announce(topic: EngineTopic, kind: "join" | "leave", member: Member): Promise<void> {
    await this.#publishing.settled(topic.name);
    await this.#ask(() => this.#subscriptions.announce(topic, kind, member));
  }

  async control(message: string): Promise<void> {
    await this.#ask(() => {
      this.#connection.send(this.#subjects.control, message);
      return this.#connection.flush();
    });
  }

  #checkHistory(): void {
    const { info } = this.#connection;
    const error = info === undefined ? null : historyError(info);
    if (error !== null) throw error;
  }

  async #ask<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      throw failure("ask NATS", asError(error).message, error);
    }
  }

  // What the connection tells.

  async #greet(): Promise<void> {
    checkServer(this.#connection.info!);
    this.#streams.forget();
    this.#subscriptions.begin();
    // Its answer shows what the user may do.
    await this.#streams.of({ name: "", history: null });
    await this.#connection.flush();
  }

  #down(error: Error): boolean {
    this.#subscriptions.end();
    return this.#standing.down(error);
  }

  #refused(error: Error): void {
    // Before it is up, what is refused is why it does not come up.
    if (this.#standing.starting) this.#connection.drop(error);
    else this.#standing.events?.error(failure("use NATS", error.message, error));
  }
}
