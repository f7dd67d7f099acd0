// What the servers with rooms have in common: a client's path names its room, and the first characters of its
// messages the topic of that room.

import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { topics: { type: "string", default: "1" } },
  strict: false,
});

/** How many characters of a message name its topic. */
const NAME = 4;

/** All topics of the room with this path. */
export function topicsOf(path: string): string[] {
  return Array.from(
    { length: Number(values.topics) },
    (_, i) => path + "/" + String(i).padStart(NAME, "0"),
  );
}

/** The topic that somebody in the room with this path speaks to. */
export function topicOf(path: string, message: string): string {
  return path + "/" + message.slice(0, NAME);
}

/** Members by topic, for servers that have no topics of their own. */
export class Members<C> {
  readonly #topics = new Map<string, Set<C>>();

  join(path: string, member: C): void {
    for (const topic of topicsOf(path)) {
      const members = this.#topics.get(topic);
      if (members === undefined) this.#topics.set(topic, new Set([member]));
      else members.add(member);
    }
  }

  of(path: string, message: string): ReadonlySet<C> {
    return this.#topics.get(topicOf(path, message))!;
  }
}
