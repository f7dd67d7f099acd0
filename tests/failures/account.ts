/** What a subscriber was given. */
export interface Delivery {
  subscriber: string;
  text: string;
  epoch: string;
  offset: number;
}

/** What became of a publication. */
export interface Publishing {
  text: string;
  accepted: boolean | "unknown";
  epoch?: string;
  offset?: number;
}

/** More offsets than are published here: an engine that leaves out as many does so on purpose. */
const LEAP = 1e5;

interface Seat {
  /** Where it stands; null before the first delivery, and after it was told that something is lost. */
  last: { epoch: string; offset: number } | null;
  /** Offsets that the engine has left out, as it does when another Redis takes over. */
  leaps: { epoch: string; after: number; to: number }[];
  readonly texts: Set<string>;
}

/** What has gone wrong; all of it must be 0. */
export interface Faults {
  /** Offsets that a subscriber was not given though nothing was said. */
  lost: number;
  /** Two texts with one place, one text with two, or a place before the one that came before. */
  outOfOrder: number;
  /** Texts that a subscriber was given twice. */
  repeated: number;
  /** Publications that were said to be refused and were delivered. */
  untrue: number;
}

/**
 * Keeps the account of what servers publish and subscribers are given. Every subscriber of a topic with
 * history is given every publication once and in one order, or is told that something is lost.
 */
export class Account {
  readonly faults: Faults = { lost: 0, outOfOrder: 0, repeated: 0, untrue: 0 };
  /** The first of what has gone wrong, for people. */
  readonly details: string[] = [];
  accepted = 0;
  refused = 0;
  unknown = 0;
  delivered = 0;
  /** How often a subscriber was told that something is lost. */
  interrupted = 0;
  readonly #seats = new Map<string, Seat>();
  readonly #texts = new Map<string, string>();
  readonly #places = new Map<string, string>();
  readonly #refused = new Set<string>();
  /** Where each text was delivered. */
  readonly #delivered = new Map<string, { epoch: string; offset: number }>();

  /** @param subscriber One that is subscribed from now on. */
  seat(subscriber: string): void {
    this.#seats.set(subscriber, { last: null, leaps: [], texts: new Set() });
  }

  /** @param subscriber One whose server is gone. */
  leave(subscriber: string): void {
    this.#seats.delete(subscriber);
  }

  /** How many are subscribed. */
  get seats(): number {
    return this.#seats.size;
  }

  /** @param delivery What a subscriber was given. */
  deliver({ subscriber, text, epoch, offset }: Delivery): void {
    this.delivered++;
    const seat = this.#seats.get(subscriber)!;
    if (seat.texts.has(text)) this.#wrong("repeated", `${subscriber} was given ${text} again`);
    seat.texts.add(text);
    this.#place(text, epoch, offset);
    this.#delivered.set(text, { epoch, offset });
    const { last } = seat;
    seat.last = { epoch, offset };
    if (this.#refused.has(text)) this.#wrong("untrue", `${text} was refused, and delivered`);
    if (last === null) return;
    const here = `${subscriber}: ${text} at ${epoch}/${offset} after ${last.epoch}/${last.offset}`;
    if (last.epoch === epoch && offset > last.offset + LEAP) {
      seat.leaps.push({ epoch, after: last.offset, to: offset });
    } else if (last.epoch !== epoch || offset > last.offset + 1) this.#wrong("lost", here);
    else if (offset <= last.offset) this.#wrong("outOfOrder", here);
  }

  /** @param subscriber One that was told that something is lost. */
  interrupt(subscriber: string): void {
    this.interrupted++;
    Object.assign(this.#seats.get(subscriber)!, { last: null, leaps: [] });
  }

  /** @param publishing What a server was told of its publication. */
  publish({ text, accepted, epoch, offset }: Publishing): void {
    if (accepted === true) {
      this.accepted++;
      this.#place(text, epoch!, offset!);
    } else if (accepted === false) {
      this.refused++;
      this.#refused.add(text);
      const given = this.#texts.has(text);
      if (given) this.#wrong("untrue", `${text} was delivered, and refused`);
    } else {
      this.unknown++;
    }
  }

  /**
   * Once all is quiet: who was not told of a loss must not have been led over what others here were given. What
   * only a server knew that was killed together with the Redis, nobody can tell.
   */
  settle(): void {
    for (const [subscriber, { leaps }] of this.#seats) {
      for (const { epoch, after, to } of leaps.splice(0)) {
        for (const [text, given] of this.#delivered) {
          if (given.epoch !== epoch || given.offset <= after || given.offset >= to) continue;
          if (![...this.#seats.values()].some(({ texts }) => texts.has(text))) continue;
          this.#wrong("lost", `${subscriber}: ${text} at ${epoch}/${given.offset}`);
        }
      }
    }
  }

  /** Whether every subscriber was given a text. */
  reached(text: string): boolean {
    return [...this.#seats.values()].every(({ texts }) => texts.has(text));
  }

  /** The account in one line. */
  toString(): string {
    const { lost, outOfOrder, repeated, untrue } = this.faults;
    return `${this.accepted} accepted, ${this.refused} refused, ${this.unknown} unknown, ` +
      `${this.delivered} delivered, ${this.interrupted} told of a loss; ` +
      `lost ${lost}, out of order ${outOfOrder}, repeated ${repeated}, untrue ${untrue}`;
  }

  #place(text: string, epoch: string, offset: number): void {
    const place = `${epoch}/${offset}`;
    const there = this.#places.get(place) ?? text;
    const before = this.#texts.get(text) ?? place;
    this.#places.set(place, text);
    this.#texts.set(text, place);
    if (there !== text || before !== place) {
      this.#wrong("outOfOrder", `${text} at ${place}, where ${there} was; before at ${before}`);
    }
  }

  #wrong(fault: keyof Faults, detail: string): void {
    this.faults[fault]++;
    if (this.details.length < 20) this.details.push(`${fault}: ${detail}`);
  }
}
