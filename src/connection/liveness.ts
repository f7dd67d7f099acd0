import { sessionOf, type WebSocketConnection } from "./connection.ts";
import { Ticker } from "../base/ticker.ts";

/** So many bytes wait for a reader that is slow, and not merely for the end of a turn. */
const MUCH = 65_536;

/**
 * Finds peers that have gone without a word: at each check a connection from which nothing came since
 * the last one gets a ping, and one silent for longer than `silenceMax` plus one interval is dropped.
 * One timer serves all connections.
 */
export class Liveness {
  readonly #connections: ReadonlySet<WebSocketConnection>;
  readonly #ticker = new Ticker(() => this.#check());
  #silenceMax = 0;
  #interval = 0;

  constructor(connections: ReadonlySet<WebSocketConnection>) {
    this.#connections = connections;
  }

  /**
   * Sets the times and starts over; 0 for either turns checks off.
   *
   * @param silenceMax Seconds.
   * @param interval Seconds.
   */
  schedule(silenceMax: number, interval: number): void {
    this.#silenceMax = silenceMax;
    this.#interval = interval;
    this.#ticker.schedule(silenceMax > 0 ? interval : 0);
  }

  stop(): void {
    this.#ticker.stop();
  }

  #check(): Promise<void> {
    for (const connection of this.#connections) {
      const session = sessionOf(connection);
      const channel = session.live;
      if (channel === null) continue;
      // A slow reader's pong comes late, as the ping waits behind all else; but it takes what is sent.
      const takes = channel.bufferedAmount > MUCH && channel.progress !== session.progress;
      session.progress = channel.progress;
      if (channel.heard || takes) {
        channel.heard = false;
        session.silentChecks = 0;
      } else if (session.delivery.full) {
        // While it is not read, nobody can tell whether it is silent; but whoever is gone resets at a ping.
        session.probe();
      } else if (session.silentChecks++ * this.#interval >= this.#silenceMax) {
        // The first silent check told that nothing had come since the one before it.
        session.slow(true);
        channel.terminate();
      } else {
        session.probe();
      }
    }
    return Promise.resolve();
  }
}
