import { randomBytes } from "node:crypto";
import { ConnectionLost } from "../engines/connection_lost.ts";
import { type Attempt, type Call, EngineLink } from "../engines/engine_link.ts";
import { asError } from "../topics/awaitable.ts";
import type { Clock } from "../topics/clock.ts";
import {
  checkConnection,
  type Fields,
  type Headers,
  headersOf,
  type NatsMessage,
  type NatsServerInfo,
  type NatsSubscription,
  type OwnNats,
} from "./client.ts";

/** What a client tells when its connection is gone: it would make another, and say nothing of what was missed. */
const GONE = ["disconnect", "staleConnection", "close", "forceReconnect"];

/** What the connection is for. */
export interface ConnectionHost {
  readonly clock: Clock;
  /** Calls the application's function. */
  connect(): Promise<unknown>;
  /** Says what comes first on a new connection. */
  greet(): Promise<void>;
  up(): void;
  /** It is gone, or could not be made; it is tried again unless this gives false. */
  down(error: Error): boolean;
  /** The server has refused something that goes on without it. */
  refused(error: Error): void;
}

/** Something that waits for answers on this connection's inbox. */
interface Question {
  readonly call: Call;
  /** Takes an answer; gives whether it was the last one. */
  take(message: NatsMessage): boolean;
}

/** The connection to NATS, made again without end. */
export class Connection {
  readonly #host: ConnectionHost;
  readonly #link: EngineLink<OwnNats>;
  readonly #questions = new Map<string, Question>();
  #number = 0;
  #inbox = "";

  /** @param host What it is for. */
  constructor(host: ConnectionHost) {
    this.#host = host;
    this.#link = new EngineLink({
      clock: host.clock,
      name: "NATS",
      manyNodes: false,
      open: (attempt) => this.#open(attempt),
      // It may be in the midst of connecting again: it is given up either way.
      end: (nats) => nats.close().catch(() => {}),
      probe: () => this.flush(),
      up: () => host.up(),
      down: (error) => {
        this.#questions.clear();
        return host.down(error);
      },
    });
  }

  /** Whether anything can be asked. */
  get up(): boolean {
    return this.#link.up;
  }

  /** What the server says of itself; only while connected. */
  get info(): NatsServerInfo | undefined {
    return this.#link.client?.info;
  }

  /** How long the last answer took, or one that has not come has been waited for, in milliseconds. */
  get lag(): number {
    return this.#link.lag;
  }

  /** Connects, again and again. */
  start(): void {
    this.#link.start();
  }

  /**
   * Waits until something can be asked.
   *
   * @param time For how long, in milliseconds.
   * @returns Whether it can.
   */
  whenUp(time: number): Promise<boolean> {
    return this.#link.whenUp(time);
  }

  /**
   * Sends a message that nobody answers.
   *
   * @param subject Where to.
   * @param payload What.
   * @param headers Its headers, as {@linkcode headersOf} writes them.
   * @throws {ConnectionLost} While there is no connection.
   */
  send(subject: string, payload: string | Uint8Array, headers?: Headers): void {
    this.#connected().publish(subject, payload, { headers });
  }

  /**
   * Sends a message, and waits for its answer.
   *
   * @param subject Where to.
   * @param payload What.
   * @param fields Its headers.
   * @returns The answer. Rejects with {@linkcode ConnectionLost} when none came.
   */
  ask(subject: string, payload: string | Uint8Array, fields?: Fields): Promise<NatsMessage> {
    return new Promise((resolve, reject) => {
      const take = (message: NatsMessage) => {
        resolve(message);
        return true;
      };
      this.#ask(subject, payload, fields, take, reject);
    });
  }

  /**
   * Sends a message, and collects its answers up to an empty one.
   *
   * @param subject Where to.
   * @param payload What.
   * @returns The answers, the empty one among them. Rejects with {@linkcode ConnectionLost}.
   */
  askForMany(subject: string, payload: string): Promise<NatsMessage[]> {
    return new Promise((resolve, reject) => {
      const answers: NatsMessage[] = [];
      const take = (message: NatsMessage) => {
        answers.push(message);
        if (message.data.length > 0) return false;
        resolve(answers);
        return true;
      };
      this.#ask(subject, payload, undefined, take, reject);
    });
  }

  /**
   * Has messages told.
   *
   * @param subject Which.
   * @param told Told of each.
   * @returns The subscription, which is gone with the connection.
   * @throws {ConnectionLost} While there is no connection.
   */
  subscribe(subject: string, told: (message: NatsMessage) => void): NatsSubscription {
    return this.#connected().subscribe(subject, {
      callback: (error, message) => {
        if (error === null || error === undefined) told(message);
        else this.#host.refused(error);
      },
    });
  }

  /**
   * Waits until the server has dealt with all that was sent.
   *
   * @returns Settled then. Rejects with {@linkcode ConnectionLost}.
   */
  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      const link = this.#link;
      if (link.client === null) return reject(link.unreachable());
      const call = link.begin(reject);
      link.client.flush().then(() => {
        if (link.answered(call)) resolve();
      }, (error) => {
        if (link.forget(call)) reject(new ConnectionLost(asError(error).message, true));
      });
    });
  }

  /**
   * Gives the connection up and makes another.
   *
   * @param error Why.
   */
  drop(error: Error): void {
    this.#link.drop(error);
  }

  /**
   * Ends it.
   *
   * @returns Settled when it is closed.
   */
  close(): Promise<void> {
    return this.#link.close();
  }

  async #open(attempt: Attempt<OwnNats>): Promise<void> {
    const nats = checkConnection(await this.#host.connect());
    if (!attempt.made(nats)) return;
    this.#watch(nats, attempt).catch((error) => attempt.lost(asError(error)));
    nats.closed().then((error) => {
      attempt.lost(error instanceof Error ? error : new Error("The connection was closed"));
    });
    this.#inbox = `_INBOX.${randomBytes(12).toString("hex")}`;
    const from = this.#inbox.length + 1;
    this.subscribe(`${this.#inbox}.*`, (message) => {
      const id = message.subject.slice(from);
      const question = this.#questions.get(id);
      if (question === undefined) return;
      if (!question.take(message)) return this.#link.heard();
      this.#questions.delete(id);
      this.#link.answered(question.call);
    });
    await this.#host.greet();
  }

  async #watch(nats: OwnNats, attempt: Attempt<OwnNats>): Promise<void> {
    for await (const { type, error } of nats.status()) {
      if (nats !== this.#link.client) return;
      if (type === "error" && error instanceof Error) {
        attempt.blame(error);
        this.#host.refused(error);
      } else if (GONE.includes(type)) {
        return attempt.lost(new Error("The connection to NATS was lost"));
      }
    }
  }

  #connected(): OwnNats {
    const { client } = this.#link;
    if (client === null) throw this.#link.unreachable();
    return client;
  }

  #ask(
    subject: string,
    payload: string | Uint8Array,
    fields: Fields | undefined,
    take: (message: NatsMessage) => boolean,
    reject: (error: Error) => void,
  ): void {
    const id = `${++this.#number}`;
    try {
      const headers = fields === undefined ? undefined : headersOf(fields);
      this.#connected().publish(subject, payload, { reply: `${this.#inbox}.${id}`, headers });
    } catch (error) {
      // A client refuses before it sends anything: what is too large, say.
      return reject(new ConnectionLost(asError(error).message, false));
    }
    this.#questions.set(id, { call: this.#link.begin(reject), take });
  }
}
