import type { Buffer } from "node:buffer";
import { ConnectionLost } from "../engines/connection_lost.ts";
import { type Attempt, EngineLink } from "../engines/engine_link.ts";
import { asError } from "../topics/awaitable.ts";
import type { Clock } from "../topics/clock.ts";
import type { OwnClient } from "./client.ts";

/** What a connection is for. */
export interface ConnectionHost {
  readonly clock: Clock;
  /** Whether a command that is not answered in time says nothing of the others: there are many nodes. */
  readonly manyNodes: boolean;
  /** Makes a client; null where that is not possible for now. */
  open(): OwnClient | null;
  /** Says what comes first on a new connection. */
  greet(client: OwnClient): Promise<void>;
  /** Asks something small. */
  probe(client: OwnClient): Promise<unknown>;
  up(): void;
  /** It is gone, or could not be made; it is tried again unless this gives false. */
  down(error: Error): boolean;
}

/** One connection to Redis, made again without end. */
export class Connection {
  readonly #host: ConnectionHost;
  readonly #link: EngineLink<OwnClient>;

  /** @param host What it is for. */
  constructor(host: ConnectionHost) {
    this.#host = host;
    this.#link = new EngineLink({
      clock: host.clock,
      name: "Redis",
      manyNodes: host.manyNodes,
      open: (attempt) => this.#open(attempt),
      end: (client) => client.disconnect(),
      probe: () => this.call((client) => host.probe(client)),
      up: () => host.up(),
      down: (error) => host.down(error),
    });
  }

  /** Whether commands can be sent. */
  get up(): boolean {
    return this.#link.up;
  }

  /** How long the last answer took, or one that has not come has been waited for, in milliseconds. */
  get lag(): number {
    return this.#link.lag;
  }

  /** Connects, again and again; at once where it waits to try again. */
  start(): void {
    this.#link.start();
  }

  /**
   * Waits until commands can be sent.
   *
   * @param time For how long, in milliseconds.
   * @returns Whether they can.
   */
  whenUp(time: number): Promise<boolean> {
    return this.#link.whenUp(time);
  }

  /**
   * Does something with the client.
   *
   * @param act Sends a command.
   * @returns What Redis answers. Rejects with {@linkcode ConnectionLost} when no answer came.
   */
  call<T = unknown>(act: (client: OwnClient) => Promise<unknown>): Promise<T> {
    const link = this.#link;
    const { client } = link;
    if (!link.up || client === null) return Promise.reject(link.unreachable());
    return new Promise<T>((resolve, reject) => {
      const call = link.begin(reject);
      act(client).then((answer) => {
        if (link.answered(call)) resolve(answer as T);
      }, (error) => {
        if (!link.forget(call)) return;
        if (isReply(error)) return reject(error);
        const { message } = asError(error);
        // So a client refuses what it has no socket for.
        reject(new ConnectionLost(message, !message.startsWith("Stream isn't writeable")));
        // A client says that its connection is gone a little later than it fails what was sent on it.
        if (!this.#host.manyNodes && client === link.client) link.drop(asError(error));
      });
    });
  }

  /**
   * Gives the connection up and makes another.
   *
   * @param error Why.
   */
  drop(error: Error): void {
    if (this.#link.client !== null) this.#link.drop(error);
  }

  /** Ends it. */
  close(): void {
    void this.#link.close();
  }

  async #open(attempt: Attempt<OwnClient>): Promise<void> {
    const client = this.#host.open();
    if (client === null) throw new Error("There is no node to connect to");
    const lost = () => attempt.lost(new Error("The connection to Redis was closed"));
    // A client says that its connection was closed, and why only by this event.
    client.on("error", (error) => attempt.blame(error));
    client.on("close", lost);
    client.on("end", lost);
    if (!attempt.made(client)) return;
    await client.connect();
    await this.#host.greet(client);
  }
}

/** Whether an error is what Redis has answered. */
export function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === "ReplyError";
}

/**
 * Reads what `callBuffer` gives as text.
 *
 * @param answer The answer.
 * @returns The text.
 */
export function text(answer: unknown): string {
  return (answer as Buffer).toString();
}
