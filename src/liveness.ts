import type { ConnectionControl } from "./connection.ts";

/** What is known of a connection's silence. */
interface Watched {
  readonly control: ConnectionControl;
  /** How many checks in a row found that nothing had come. */
  silentChecks: number;
}

/**
 * Finds peers that have gone without a word: at each check a connection from which nothing came since
 * the last one gets a ping, and one silent for longer than `silenceMax` plus one interval is dropped.
 * One timer serves all connections.
 */
export class Liveness {
  readonly #watched = new Map<unknown, Watched>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #silenceMax = 0;
  #interval = 0;

  /**
   * Sets the times and starts over; 0 for either turns checks off.
   *
   * @param silenceMax Seconds.
   * @param interval Seconds.
   */
  schedule(silenceMax: number, interval: number): void {
    this.stop();
    this.#silenceMax = silenceMax;
    this.#interval = interval;
    if (silenceMax > 0 && interval > 0) {
      this.#timer = setInterval(() => this.#check(), interval * 1000);
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  add(connection: unknown, control: ConnectionControl): void {
    this.#watched.set(connection, { control, silentChecks: 0 });
  }

  delete(connection: unknown): void {
    this.#watched.delete(connection);
  }

  #check(): void {
    for (const watched of this.#watched.values()) {
      const { control } = watched;
      const { channel } = control;
      if (channel === null) continue;
      // While nothing is read from it, nobody can tell whether a peer is silent.
      if (channel.heard || control.delivery.holding) {
        channel.heard = false;
        watched.silentChecks = 0;
      } else if (++watched.silentChecks * this.#interval > this.#silenceMax + this.#interval) {
        channel.terminate();
      } else {
        control.probe();
      }
    }
  }
}
