import type { Member, MemberCount, PresenceEntry } from "./engine.ts";

interface Seat {
  member: Member;
  /** When its time is over. */
  until: number;
}

/** Who is there, in memory. */
export class MemoryPresence {
  readonly #topics = new Map<string, Map<string, Seat>>();

  /**
   * Writes members.
   *
   * @param entries Who is where.
   * @param until When their time is over.
   */
  enter(entries: readonly PresenceEntry[], until: number): void {
    for (const { topic, member } of entries) {
      let seats = this.#topics.get(topic.name);
      if (seats === undefined) this.#topics.set(topic.name, seats = new Map());
      seats.set(member.id, { member, until });
    }
  }

  /** @param entries Who has left what. */
  leave(entries: readonly PresenceEntry[]): void {
    for (const { topic, member } of entries) {
      const seats = this.#topics.get(topic.name);
      seats?.delete(member.id);
      if (seats?.size === 0) this.#topics.delete(topic.name);
    }
  }

  /**
   * @param topic The topic's name.
   * @param limit The most members.
   * @param now The time.
   * @returns Who is there.
   */
  members(topic: string, limit: number, now: number): Member[] {
    const members: Member[] = [];
    for (const { member, until } of this.#topics.get(topic)?.values() ?? []) {
      if (members.length >= limit) break;
      if (until > now) members.push(member);
    }
    return members;
  }

  /**
   * @param topic The topic's name.
   * @param now The time.
   * @returns How many are there.
   */
  count(topic: string, now: number): MemberCount {
    const members = this.members(topic, Infinity, now);
    return { connections: members.length, users: new Set(members.map(({ user }) => user)).size };
  }

  /** @param now The time: forgets those whose time is over. */
  sweep(now: number): void {
    for (const [topic, seats] of this.#topics) {
      for (const [id, { until }] of seats) if (until <= now) seats.delete(id);
      if (seats.size === 0) this.#topics.delete(topic);
    }
  }
}
