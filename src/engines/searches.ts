import type { Clock } from "../topics/clock.ts";
import { ConnectionLost } from "./connection_lost.ts";

/** When a publication is answered at the latest, in milliseconds. */
const ANSWER_TIME = 4_800;
/** How long to wait before it is looked for again, in milliseconds. */
const PAUSE = 50;

/** How far before it was sent a publication is looked for: two clocks are never the same, in milliseconds. */
export const MARGIN = 5_000;

/** What was sent and not answered. */
export interface Lost {
  /** When it was published here. */
  readonly began: number;
  /** Nothing more is found out of it. */
  over(): void;
}

/** Where things are looked for. */
export interface SearchHost<L extends Lost> {
  readonly clock: Clock;
  /** Waits until the engine can be asked. */
  whenUp(time: number): Promise<boolean>;
  /** Looks for all of these, of one topic, and says of each what it finds. */
  find(losts: readonly L[]): Promise<void>;
}

/** Looks for publications of which no answer came, until the engine answers or it is too late. */
export class Searches<L extends Lost> {
  readonly #host: SearchHost<L>;
  /** What is looked for, by topic, in the order in which it was sent. */
  readonly #topics = new Map<string, Set<L>>();
  #closed = false;

  /** @param host Where to look. */
  constructor(host: SearchHost<L>) {
    this.#host = host;
  }

  /**
   * Looks for something, once for all of a topic that have failed together.
   *
   * @param topic The topic's name.
   * @param lost What to look for.
   */
  add(topic: string, lost: L): void {
    const search = this.#topics.get(topic);
    if (search !== undefined) {
      search.add(lost);
      return;
    }
    const losts = new Set([lost]);
    this.#topics.set(topic, losts);
    this.#search(losts).catch(() => {
      // The engine refuses to be asked: nobody knows.
    }).finally(() => {
      this.#topics.delete(topic);
      for (const it of losts) it.over();
    });
  }

  /** Ends it: nothing is looked for any more. */
  close(): void {
    this.#closed = true;
  }

  async #search(losts: Set<L>): Promise<void> {
    const { clock } = this.#host;
    const end = (lost: L) => {
      losts.delete(lost);
      lost.over();
    };
    while (losts.size > 0 && !this.#closed) {
      const [first] = losts;
      const left = first.began + ANSWER_TIME - clock.now();
      if (left <= 0) end(first);
      else if (await this.#host.whenUp(left)) {
        const some = [...losts];
        try {
          if (await this.#within(left, this.#host.find(some))) some.forEach(end);
          else end(first);
        } catch (error) {
          if (!(error instanceof ConnectionLost)) throw error;
          // Where there are many nodes, the others are there all the while.
          await new Promise<void>((resolve) => clock.after(PAUSE, resolve));
        }
      }
    }
  }

  /** Tells whether something is done in time. */
  async #within(time: number, done: Promise<void>): Promise<boolean> {
    let cancel = () => {};
    const late = new Promise<boolean>((resolve) => {
      cancel = this.#host.clock.after(Math.max(1, time), () => resolve(false));
    });
    try {
      return await Promise.race([done.then(() => true), late]);
    } finally {
      cancel();
    }
  }
}
