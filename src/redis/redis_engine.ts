import { Buffer } from "node:buffer";
import { failure, Standing } from "../engines/standing.ts";
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
  Publication,
  PublishResult,
} from "../topics/engine.ts";
import { decodeInfo, decodePayload, encodeInfo } from "../topics/payload.ts";
import { checkClient, Clients, type RedisClient } from "./client.ts";
import { Commands } from "./commands.ts";
import { Keys } from "./keys.ts";
import { finalError, type RedisEngineOptions } from "./options.ts";
import { metaTime, Publishing } from "./publishing.ts";
import * as scripts from "./scripts.ts";
import { Subscriptions } from "./subscriptions.ts";
import { encodePresence } from "./wire.ts";

/** Members, with their names, that one call takes: scripts hold Redis up while they run. */
const MEMBERS = 512;

type Answer = (Buffer | number)[];

/** The engine over Redis. */
export class RedisEngine implements Engine {
  readonly name = "redis";
  readonly #clock: Clock = SYSTEM_CLOCK;
  readonly #clients: Clients;
  readonly #keys: Keys;
  readonly #commands: Commands;
  readonly #subscriptions: Subscriptions;
  readonly #publishing: Publishing;
  readonly #standing: Standing;

  /**
   * @param client The application's client.
   * @param options The options.
   */
  constructor(client: RedisClient, { prefix = "duet" }: RedisEngineOptions = {}) {
    checkClient(client);
    this.#keys = new Keys(prefix);
    this.#clients = new Clients(client);
    this.#standing = new Standing({
      clock: this.#clock,
      name: "Redis",
      finalError,
      close: () => this.close(),
    });
    this.#commands = new Commands(this.#clients, {
      clock: this.#clock,
      up: () => this.#connected(),
      down: (error) => this.#standing.down(error),
      demoted: (error) => this.#demoted(error),
    });
    this.#publishing = new Publishing(this.#commands, this.#keys, this.#clock);
    this.#subscriptions = new Subscriptions(this.#clients, this.#keys, this.#heard());
  }

  /** How Redis is doing. */
  get state(): EngineState {
    const { up, since } = this.#standing;
    return { up, since, lag: this.#commands.lag };
  }

  start(events: EngineEvents): Promise<void> {
    const started = this.#standing.start(events);
    this.#commands.start();
    return started;
  }

  async close(): Promise<void> {
    this.#standing.close();
    await this.#publishing.close();
    this.#commands.close();
    this.#subscriptions.close();
  }

  publish(
    topic: EngineTopic,
    message: Message,
    seen: Position | null,
  ): Promise<PublishResult> | PublishResult {
    return this.#publishing.publish(topic, message, seen);
  }

  async subscribe(topics: readonly EngineTopic[]): Promise<void> {
    // Another connection than the one that publishes: what was published before must not come.
    await Promise.all(topics.map(({ name }) => this.#publishing.settled(name)));
    await this.#subscriptions.subscribe(topics);
  }

  unsubscribe(topics: readonly EngineTopic[]): Promise<void> {
    return this.#subscriptions.unsubscribe(topics);
  }

  async read(topic: EngineTopic, range: HistoryRange): Promise<HistoryPage> {
    const { meta, stream } = this.#keys.of(topic.name);
    const { epoch = "", after = "", limit, bytes = -1, reverse = false } = range;
    const age = Math.ceil(topic.history!.age * 1000);
    const [now, offset, time, whole, ...entries] = await this.#run<Answer>(
      scripts.READ,
      [meta, stream],
      [
        this.#commands.fresh(),
        metaTime(topic),
        age,
        epoch,
        after,
        limit,
        bytes,
        reverse ? "r" : "",
      ],
    );
    const publications: Publication[] = [];
    for (let i = 0; i < entries.length; i += 2) {
      const [at, published] = entries[i].toString().split("-");
      publications.push(decodePayload(entries[i + 1] as Buffer, Number(published), Number(at)));
    }
    const position = { epoch: now.toString(), offset: Number(offset) };
    return { position, publications, whole: whole === 1, lost: whole === 2, time: Number(time) };
  }

  async positions(
    topics: readonly EngineTopic[],
    seen: readonly number[],
  ): Promise<readonly Position[]> {
    if (topics.length === 0) return [];
    const ask = async (some: readonly EngineTopic[], seen: readonly number[]) => {
      const answer = await this.#run<Answer>(
        scripts.POSITIONS,
        some.map(({ name }) => this.#keys.of(name).meta),
        [this.#commands.fresh(), ...some.flatMap((topic, i) => [metaTime(topic), seen[i]])],
      );
      return some.map((_, i) => positionOf(answer.slice(2 * i)));
    };
    // In a cluster a call cannot have keys of several nodes.
    if (!this.#clients.isCluster) return await ask(topics, seen);
    return (await Promise.all(topics.map((topic, i) => ask([topic], [seen[i]])))).flat();
  }

  async renew(topic: EngineTopic, epoch: string): Promise<Position> {
    const { meta, stream } = this.#keys.of(topic.name);
    const args = [this.#commands.fresh(), metaTime(topic), epoch];
    return positionOf(await this.#run<Answer>(scripts.RENEW, [meta, stream], args));
  }

  async enter(entries: readonly PresenceEntry[], seconds: number): Promise<void> {
    const time = Math.ceil(seconds * 1000);
    await this.#forMembers(entries, scripts.ENTER, [time], ({ member }) => {
      return [member.id, encodeInfo(member)];
    });
  }

  async leave(entries: readonly PresenceEntry[]): Promise<void> {
    await this.#forMembers(entries, scripts.LEAVE, [], ({ member }) => [member.id]);
  }

  async members(topic: EngineTopic, limit: number): Promise<readonly Member[]> {
    const { members, infos } = this.#keys.of(topic.name);
    const answer = await this.#run<Buffer[]>(scripts.MEMBERS, [members, infos], [limit]);
    const found: Member[] = [];
    for (let i = 0; i < answer.length; i += 2) {
      // Its info is evicted: it is there all the same.
      if (answer[i + 1].length === 0) found.push({ id: answer[i].toString(), user: "" });
      else found.push(decodeInfo(answer[i].toString(), answer[i + 1]));
    }
    return found;
  }

  async memberCount(topic: EngineTopic): Promise<MemberCount> {
    const { members, infos } = this.#keys.of(topic.name);
    const [connections, users] = await this.#run<number[]>(scripts.COUNT, [members, infos], []);
    return { connections, users };
  }

  async announce(topic: EngineTopic, kind: "join" | "leave", member: Member): Promise<void> {
    const { meta, channel } = this.#keys.of(topic.name);
    await this.#run(scripts.SEND, [meta], [channel, encodePresence(kind, member)]);
  }

  async control(message: string): Promise<void> {
    const { control } = this.#keys;
    await this.#run(scripts.SEND, [control], [control, message]);
  }

  /** Runs a script, after what was published before. */
  async #run<T>(
    script: scripts.Script,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<T> {
    this.#publishing.flush();
    try {
      return await this.#commands.run<T>(script, keys, args);
    } catch (error) {
      throw failure("ask Redis", (error as Error).message, error);
    }
  }

  /** Runs a script for members, some hundred at a time: in a cluster those of one topic. */
  async #forMembers(
    entries: readonly PresenceEntry[],
    script: scripts.Script,
    first: readonly number[],
    args: (entry: PresenceEntry) => (string | Buffer)[],
  ): Promise<void> {
    const groups = this.#clients.isCluster
      ? [...Map.groupBy(entries, ({ topic }) => topic.name).values()]
      : [entries];
    const calls: Promise<unknown>[] = [];
    for (const group of groups) {
      for (let i = 0; i < group.length; i += MEMBERS) {
        const topics = new Map<string, number>();
        const keys: string[] = [];
        const some = group.slice(i, i + MEMBERS).flatMap((entry) => {
          const { name } = entry.topic;
          let index = topics.get(name);
          if (index === undefined) {
            topics.set(name, index = topics.size);
            const { members, infos } = this.#keys.of(name);
            keys.push(members, infos);
          }
          return [index, ...args(entry)];
        });
        calls.push(this.#run(script, keys, [...first, ...some]));
      }
    }
    await Promise.all(calls);
  }

  // What the connections tell.

  #connected(): void {
    if (this.#standing.events === null || !this.#commands.up) return;
    // In a cluster, and at first, only the other connection knows where to subscribe.
    if (!this.#subscriptions.up) return this.#subscriptions.start();
    if (!this.#clients.isCluster && this.#commands.server !== this.#subscriptions.server) {
      // One of them is to a Redis that was replaced: nobody would hear of anything.
      return this.#demoted(new Error("The connections lead to two different servers"));
    }
    this.#standing.connected();
  }

  #demoted(error: Error): void {
    this.#commands.drop(error);
    this.#subscriptions.drop(error);
  }

  #heard(): ConstructorParameters<typeof Subscriptions>[2] {
    return {
      clock: this.#clock,
      up: () => this.#connected(),
      down: (error) => this.#standing.down(error),
      publication: (topic, publication, place) => {
        const { id, offset } = publication;
        const position = place === null ? undefined : { epoch: place.epoch, offset: offset! };
        this.#publishing.heard(id, position);
        this.#standing.events?.publication(topic, publication, place);
      },
      presence: (topic, kind, member) => this.#standing.events?.presence(topic, kind, member),
      control: (message) => this.#standing.events?.control(message),
      error: (error) => this.#standing.events?.error(error),
    };
  }
}

function positionOf([epoch, offset]: Answer): Position {
  return { epoch: epoch.toString(), offset: Number(offset) };
}
