import { type CrowdEvents, Member } from "./member.ts";

/** Handshakes under way at once: less than any server's listen backlog. */
const OPENING = 64;
/** How long all of them together may take for anything: far longer than they do. */
const PATIENCE_MS = 120_000;
const SHOWN = 5;

/** All members of a crowd, and what has become of them. */
export class Gathering implements CrowdEvents, Disposable {
  readonly #port: number;
  readonly #members: Member[] = [];
  readonly #size: number;
  #opened = 0;
  #closed = 0;
  /** How many have each message. */
  readonly #received: number[] = [];
  /** What went wrong, each with how often. */
  readonly #failures = new Map<string, number>();
  #changed = () => {};

  constructor(port: number, size: number) {
    this.#port = port;
    this.#size = size;
  }

  /** Opens all connections, some at a time; gives what went wrong. */
  async open(): Promise<string[]> {
    for (let count = 0; count < Math.min(OPENING, this.#size); count++) this.#add();
    return await this.#all("are open", () => this.#opened);
  }

  /** Waits until all have a message; gives what went wrong. */
  receive(index: number): Promise<string[]> {
    return this.#all(`have message ${index}`, () => this.#received[index] ?? 0);
  }

  /** Has all leave in order; gives what went wrong. */
  async close(): Promise<string[]> {
    for (const member of this.#members) member.close();
    return await this.#all("have left in order", () => this.#closed);
  }

  opened(): void {
    this.#opened++;
    this.#add();
    this.#changed();
  }

  received(_member: Member, index: number): void {
    this.#received[index] = (this.#received[index] ?? 0) + 1;
    this.#changed();
  }

  closed(): void {
    this.#closed++;
    this.#changed();
  }

  failed(_member: Member, why: string): void {
    this.#failures.set(why, (this.#failures.get(why) ?? 0) + 1);
    this.#changed();
  }

  [Symbol.dispose](): void {
    for (const member of this.#members) member.destroy();
  }

  #add(): void {
    if (this.#members.length < this.#size && this.#failures.size === 0) {
      this.#members.push(new Member(this.#port, this));
    }
  }

  /** Waits for all of them, but not for ever, and not once one has failed. */
  async #all(what: string, count: () => number): Promise<string[]> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#changed = () => {
        if (count() === this.#size || this.#failures.size > 0) resolve();
      };
      timer = setTimeout(resolve, PATIENCE_MS);
      this.#changed();
    });
    clearTimeout(timer);
    this.#changed = () => {};
    if (count() === this.#size && this.#failures.size === 0) return [];
    const reasons = [...this.#failures].slice(0, SHOWN).map(([why, times]) => `${times} × ${why}`);
    return [`${count()} of ${this.#size} ${what}`, ...reasons];
  }
}
