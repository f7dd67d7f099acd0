import { clearTimeout, setTimeout } from "node:timers";

/** Something that may take only so long. */
export interface Expiring {
  /** Its time is up. */
  expired(): void;
}

/** Those that may take the same time, in the order in which their time is up. */
class Deadlines {
  readonly #milliseconds: number;
  readonly #due = new Map<Expiring, number>();
  // The one timer, for the first of them.
  #timer: ReturnType<typeof setTimeout> | undefined;
  #expiring = false;

  constructor(seconds: number) {
    this.#milliseconds = seconds * 1000;
  }

  add(item: Expiring): void {
    this.#due.delete(item);
    this.#due.set(item, performance.now() + this.#milliseconds);
    if (this.#timer === undefined && !this.#expiring) this.#wait(this.#milliseconds);
  }

  delete(item: Expiring): void {
    // The timer stays: most likely another item comes before it fires.
    this.#due.delete(item);
  }

  /** Clears a timer that waits for nothing; gives whether it waits for something. */
  tidy(): boolean {
    if (this.#due.size > 0) return true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return false;
  }

  #wait(milliseconds: number): void {
    // Sockets keep the program running, this need not.
    this.#timer = setTimeout(() => this.#expire(), Math.max(0, milliseconds)).unref();
  }

  #expire(): void {
    this.#timer = undefined;
    // One that expires may well begin another time of the same length, which needs no timer of its own.
    this.#expiring = true;
    let next: number | undefined;
    for (const [item, due] of this.#due) {
      const left = due - performance.now();
      if (left > 0) {
        next = left;
        break;
      }
      this.#due.delete(item);
      item.expired();
    }
    this.#expiring = false;
    if (next !== undefined) this.#wait(next);
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
  bySeconds.get(seconds)?.delete(item);
}

/**
 * Clears the timers that wait for nothing any more. A server does so when it has shut down: doing it
 * whenever the last item goes would make a timer for every connection that is alone.
 */
export function tidyDeadlines(): void {
  for (const [seconds, waiting] of bySeconds) if (!waiting.tidy()) bySeconds.delete(seconds);
}
