import type { EngineTopic, Member, MemberCount, PresenceEntry } from "../topics/engine.ts";
import { type Fields, headersOf, type NatsMessage } from "./client.ts";
import type { Connection } from "./connection.ts";
import { sequenceOf } from "./history.ts";
import { type JetStream, readAnswer } from "./jetstream.ts";
import type { Streams } from "./streams.ts";
import type { Subjects } from "./subjects.ts";

/** Members that are written or read at once. */
const PAGE = 512;
/** What is written of a member that has left, for as long as NATS keeps anything at least. */
const GONE = "-";
const SHORTEST = 1;

/** Members: each is one message, which NATS forgets when its time is over. */
export class Presence {
  readonly #connection: Connection;
  readonly #jetstream: JetStream;
  readonly #streams: Streams;
  readonly #subjects: Subjects;
  /** What is being written: whoever has just come finds itself among the members. */
  readonly #underWay = new Set<Promise<void>>();

  /**
   * @param connection Where members are written.
   * @param jetstream Where they are read.
   * @param streams Finds the stream of members.
   * @param subjects Names the members.
   */
  constructor(
    connection: Connection,
    jetstream: JetStream,
    streams: Streams,
    subjects: Subjects,
  ) {
    this.#connection = connection;
    this.#jetstream = jetstream;
    this.#streams = streams;
    this.#subjects = subjects;
  }

  /**
   * Writes members.
   *
   * @param entries The members.
   * @param seconds How long they are there.
   */
  async enter(entries: readonly PresenceEntry[], seconds: number): Promise<void> {
    await this.#write(entries, seconds, ({ id, user, info }) => JSON.stringify({ id, user, info }));
  }

  /**
   * Takes members out.
   *
   * @param entries The members.
   */
  async leave(entries: readonly PresenceEntry[]): Promise<void> {
    await this.#write(entries, SHORTEST, () => GONE);
  }

  /**
   * Tells who is there.
   *
   * @param topic The topic.
   * @param limit The most members.
   * @returns The members.
   */
  async members(topic: EngineTopic, limit: number): Promise<Member[]> {
    const members = new Map<string, Member>();
    for await (const member of this.#read(topic)) {
      members.set(member.id, member);
      if (members.size >= limit) break;
    }
    return [...members.values()];
  }

  /**
   * Counts who is there.
   *
   * @param topic The topic.
   * @returns How many.
   */
  async count(topic: EngineTopic): Promise<MemberCount> {
    const connections = new Set<string>();
    const users = new Set<string>();
    for await (const { id, user } of this.#read(topic)) {
      connections.add(id);
      users.add(user);
    }
    return { connections: connections.size, users: users.size };
  }

  async #write(
    entries: readonly PresenceEntry[],
    seconds: number,
    write: (member: Member) => string,
  ): Promise<void> {
    const written = this.#writeAll(entries, seconds, write);
    this.#underWay.add(written);
    try {
      await written;
    } finally {
      this.#underWay.delete(written);
    }
  }

  async #writeAll(
    entries: readonly PresenceEntry[],
    seconds: number,
    write: (member: Member) => string,
  ): Promise<void> {
    const fields: Fields = { "Nats-TTL": `${Math.max(SHORTEST, Math.ceil(seconds))}s` };
    const headers = headersOf(fields);
    for (let i = 0; i < entries.length; i += PAGE) {
      const some = entries.slice(i, i + PAGE);
      await this.#streams.within(() => this.#streams.presence(), async () => {
        const last = some.length - 1;
        for (let j = 0; j < last; j++) {
          this.#connection.send(...this.#message(some[j], write), headers);
        }
        // One stream takes them in their order: its answer to the last one stands for all.
        const [subject, text] = this.#message(some[last], write);
        readAnswer(await this.#connection.ask(subject, text, fields));
      });
    }
  }

  #message(
    { topic, member }: PresenceEntry,
    write: (member: Member) => string,
  ): [subject: string, text: string] {
    return [this.#subjects.members(topic.name, member.id), write(member)];
  }

  /** Reads members; one that is written again meanwhile may come twice. */
  async *#read({ name }: EngineTopic): AsyncGenerator<Member> {
    await Promise.allSettled(this.#underWay);
    const next_by_subj = this.#subjects.members(name);
    for (let seq = 1;;) {
      const { messages, pending } = await this.#streams.within(
        () => this.#streams.presence(),
        (stream) => this.#jetstream.get(stream, { seq, next_by_subj, batch: PAGE }),
      );
      for (const message of messages) {
        const member = decode(message);
        if (member !== null) yield member;
      }
      if (pending === 0) return;
      seq = sequenceOf(messages.at(-1)!) + 1;
    }
  }
}

function decode({ data }: NatsMessage): Member | null {
  if (data.length <= GONE.length) return null;
  return JSON.parse(new TextDecoder().decode(data));
}
