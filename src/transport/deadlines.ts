import { setTimeout } from "node:timers";

/** Something that may take only so long. */
export interface Expiring {
  /** Its time is up. */
  expired(): void;
}

/** Those that may take the same time, in the order in which their time is up. */
class Deadlines {
  readonly #milliseconds: number;
  readonly #due = new Map<Expiring, number>();
  #waiting = false;

  constructor(seconds: number) {
    this.#milliseconds = seconds * 1000;
  }

  add(item: Expiring): void {
    this.#due.delete(item);
    this.#due.set(item, performance.now() + this.#milliseconds);
    if (!this.#waiting) this.#wait(this.#milliseconds);
  }

  delete(item: Expiring): void {
    // The timer stays: most likely another item comes before it fires.
    this.#due.delete(item);
  }

  #wait(milliseconds: number): void {
    this.#waiting = true;
    // Sockets keep the program running, this need not.
    setTimeout(() => this.#expire(), Math.max(0, milliseconds)).unref();
  }

  #expire(): void {
    this.#waiting = false;
    for (const [item, due] of this.#due) {
      const left = due - performance.now();
      if (left > 0) {
        this.#wait(left);
        return;
      }
      this.#due.delete(item);
      item.expired();
    }
  }
}

const bySeconds = new Map<number, Deadlines>();

function deadlines(seconds: number): Deadlines {
  let found = bySeconds.get(seconds);
  if (found === undefined) bySeconds.set(seconds, found = new Deadlines(seconds));
  return found;
}

/**
 * Has something expire after a time, or later when it was going to. A timer serves all that may take the
 * same time: one each would cost more than all else that opening a connection does with time.
 *
 * @param item What may take only so long.
 * @param seconds How long.
 */
export function startDeadline(item: Expiring, seconds: number): void {
  deadlines(seconds).add(item);
}

/**
 * Lets something take as long as it likes.
 *
 * @param item What had a deadline.
 * @param seconds How long it would have been.
 */
export function cancelDeadline(item: Expiring, seconds: number): void {
  deadlines(seconds).delete(item);
}
