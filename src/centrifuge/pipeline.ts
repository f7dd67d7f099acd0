import { setImmediate } from "node:timers";
import { Malformed } from "./codec.ts";
import type { Command } from "./messages.ts";

/** Commands of one message that are begun in one turn; then others have theirs. */
const TURN = 64;

/** What a pipeline needs of its client. */
export interface PipelineOwner {
  /** Commands that may be at work at once. */
  readonly max: number;
  /** Tells whether so much waits to be sent that nothing more is to be begun before {@linkcode Pipeline.goOn}. */
  isFull(): boolean;
  /** Executes a command. Never rejects. */
  execute(command: Command): Promise<void>;
  /** No further message is to come. */
  pause(): void;
  resume(): void;
  /** What came breaks the protocol. */
  malformed(): void;
}

/**
 * The commands of one client: those about one topic one after the other, others at once up to a bound, and
 * what comes behind `connect` after that. While more have come than may be at work, or than can be answered,
 * the connection is not read.
 */
export class Pipeline {
  readonly #owner: PipelineOwner;
  // Whether the connection is not read.
  #isPaused = false;
  // The commands of a message that have not been begun.
  #batch: Iterator<Command, void> | null = null;
  // The last command of each topic.
  readonly #lanes = new Map<string, Promise<void>>();
  #running = 0;
  // Set while a command is at work that others wait for.
  #alone = false;
  #begun = 0;
  #yielding = false;
  #ended = false;

  /** @param owner Its client. */
  constructor(owner: PipelineOwner) {
    this.#owner = owner;
  }

  /**
   * Takes the commands of a message; the one before has been begun to its end.
   *
   * @param batch The commands.
   */
  receive(batch: Iterator<Command, void>): void {
    this.#batch = batch;
    this.#begun = 0;
    this.#pump();
  }

  /** Whether the connection is not read since commands are at work, and not since its client reads nothing. */
  get isBusy(): boolean {
    return this.#isPaused && (this.#running > 0 || this.#yielding);
  }

  /** What waited to be sent has gone. */
  goOn(): void {
    this.#pump();
  }

  /** Begins nothing more. */
  end(): void {
    this.#ended = true;
    this.#batch = null;
  }

  #pump(): void {
    if (this.#batch === null || this.#yielding) return;
    try {
      while (this.#running < this.#owner.max && !this.#alone && !this.#owner.isFull()) {
        if (++this.#begun > TURN) return this.#yield();
        const { done, value } = this.#batch.next();
        if (done) {
          this.#batch = null;
          break;
        }
        this.#begin(value);
        // A command may have ended the connection.
        if (this.#ended) return;
      }
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.#batch = null;
      this.#owner.malformed();
      return;
    }
    this.#setPaused(this.#batch !== null);
  }

  /** Goes on once everybody else has had a turn. */
  #yield(): void {
    this.#setPaused(true);
    this.#yielding = true;
    setImmediate(() => {
      this.#yielding = false;
      this.#begun = 0;
      this.#pump();
    });
  }

  #setPaused(paused: boolean): void {
    if (this.#isPaused === paused || this.#ended) return;
    this.#isPaused = paused;
    if (paused) this.#owner.pause();
    else this.#owner.resume();
  }

  #begin(command: Command): void {
    const lane = laneOf(command);
    const before = lane === undefined ? undefined : this.#lanes.get(lane);
    this.#running++;
    if (command.connect !== undefined) this.#alone = true;
    const done = before === undefined
      ? this.#owner.execute(command)
      : before.then(() => this.#owner.execute(command));
    if (lane !== undefined) this.#lanes.set(lane, done);
    done.then(() => {
      this.#running--;
      if (command.connect !== undefined) this.#alone = false;
      if (lane !== undefined && this.#lanes.get(lane) === done) this.#lanes.delete(lane);
      this.#pump();
    });
  }
}

/** The topic that a command is about, if it is about one. */
function laneOf(command: Command): string | undefined {
  const { subscribe, unsubscribe, publish, presence, presence_stats, history, sub_refresh } =
    command;
  const topical = subscribe ?? unsubscribe ?? publish ?? presence ?? presence_stats ?? history ??
    sub_refresh;
  return topical?.channel;
}
