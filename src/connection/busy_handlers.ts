import { cancelDeadline, type Expiring, startDeadline } from "../transport/deadlines.ts";

/** After so many seconds a handler that holds its connection is told of. */
const PATIENCE = 10;

/** What busy handlers need of their connection. */
export interface BusyHandlersOwner {
  /** How many handlers may run at once, and of messages of how many bytes. */
  readonly host: { readonly maxConcurrentMessages: number; readonly maxBufferedAmount: number };
  /** One handler has run for so long that others should be told of it. */
  heldUp(seconds: number): void;
}

/** The handlers of one connection whose promises have not settled. */
export class BusyHandlers implements Expiring {
  readonly #owner: BusyHandlersOwner;
  #count = 0;
  #bytes = 0;
  #settled = 0;
  #watch: "off" | "on" | "done" = "off";
  // What had settled when the watch began.
  #before = 0;

  constructor(owner: BusyHandlersOwner) {
    this.#owner = owner;
  }

  /** Whether none runs. */
  get idle(): boolean {
    return this.#count === 0;
  }

  /** Whether no further handler may be called now. */
  get full(): boolean {
    const { maxConcurrentMessages, maxBufferedAmount } = this.#owner.host;
    return this.#count >= maxConcurrentMessages || this.#bytes > maxBufferedAmount;
  }

  /**
   * A handler has returned a promise.
   *
   * @param size About how many bytes its message has.
   */
  begin(size: number): void {
    this.#count++;
    this.#bytes += size;
    if (this.#watch === "off") this.#startWatch();
  }

  /**
   * The promise of a handler has settled.
   *
   * @param size What {@linkcode BusyHandlers.begin} was given.
   */
  end(size: number): void {
    this.#count--;
    this.#bytes -= size;
    this.#settled++;
  }

  /** The connection has ended: it is held by nobody. */
  stop(): void {
    if (this.#watch === "on") cancelDeadline(this, PATIENCE);
    this.#watch = "done";
  }

  /** Only looks again later: to start and cancel a deadline for each promise would cost more than the promise. */
  #startWatch(): void {
    this.#watch = "on";
    this.#before = this.#settled;
    startDeadline(this, PATIENCE);
  }

  expired(): void {
    if (this.#count === 0) {
      this.#watch = "off";
    } else if (this.#settled !== this.#before || !this.full) {
      this.#startWatch();
    } else {
      this.#watch = "done";
      this.#owner.heldUp(PATIENCE);
    }
  }
}
