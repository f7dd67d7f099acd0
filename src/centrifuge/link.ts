import { handlerError } from "../base/errors.ts";
import { isThenable } from "../base/thenable.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { Session } from "../connection/session.ts";
import type { Member } from "../topics/engine.ts";
import type { Hub } from "../topics/hub.ts";
import type { Subscriber } from "../topics/subscription.ts";
import type { Subscriptions } from "../topics/subscriptions.ts";
import type { ResolvedTopicSettings } from "../topics/topic_settings.ts";
import { cancelDeadline, type Expiring, startDeadline } from "../transport/deadlines.ts";
import type { SharedMessage } from "../transport/channel.ts";
import { CentrifugeClient, type ClientLink } from "./client.ts";
import { type Codec, shared } from "./codec.ts";
import { CentrifugeError, End, Failure, Unsubscribed } from "./codes.ts";
import { type Formats, formatsOf, memberInfo } from "./formats.ts";
import type { Data } from "./data.ts";
import type { Grant } from "./grant.ts";
import type { Command, Push, Reply } from "./messages.ts";
import type { CentrifugeOptions, Settings } from "./options.ts";
import { Pipeline } from "./pipeline.ts";

/** A client gives up after 5 s, so it is told of a failure before. */
const HANDLER_SECONDS = 4;
/** How much longer something lives that the client may refresh, in seconds. */
const REFRESH_SECONDS = 25;
/** The most replies of one message. */
const BATCH = 16;
/** Messages that may come for a client while it is being let in. */
const MAX_HELD = 4096;

/** What a link needs of what it belongs to. */
export interface LinkHost {
  readonly settings: Settings;
  readonly options: CentrifugeOptions;
  readonly hub: Hub;
  topicSettings(topic: string): ResolvedTopicSettings;
  /** Executes a command, and answers it. Never rejects. */
  execute(link: Link, command: Command): Promise<void>;
  /** Subscribes a client that did not ask for it. */
  subscribe(link: Link, topic: string, grant: Grant): Promise<void>;
  /** The client was let in. */
  joined(link: Link): void;
  /** The connection has ended. */
  left(link: Link): void;
  report(error: Error, connection: WebSocketConnection): void;
}

/** A subscription, as this protocol sees it. */
export interface Granted {
  readonly grant: Grant;
  /** Whether the server has made it, and not the client. */
  readonly byServer: boolean;
  /** When it ends, in milliseconds since 1970. */
  ends: number;
}

/** One client of the protocol over one connection, behind its public face. */
export class Link implements Subscriber, ClientLink {
  readonly connection: WebSocketConnection;
  readonly session: Session;
  readonly host: LinkHost;
  readonly codec: Codec;
  readonly formats: Formats;
  readonly subscriptions: Subscriptions;
  readonly client: CentrifugeClient;
  /** Its subscriptions, those under way among them. */
  readonly granted = new Map<string, Granted>();
  state: "new" | "connecting" | "connected" | "ended" = "new";
  user = "";
  /** What the application says of the user, and the same as JSON. */
  info: unknown = undefined;
  infoText: string | undefined = undefined;
  readonly #pipeline: Pipeline;
  // What came for it before it was let in.
  #held: SharedMessage[] = [];
  #replies: Data[] = [];
  // Times by `performance.now()`: the next ping or, before there is any, the end of its patience.
  #due: number;
  #pongDue = Infinity;
  // When the connection ends, in milliseconds since 1970.
  #ends = Infinity;

  /**
   * @param host What it belongs to.
   * @param session The session of the connection.
   * @param codec What it speaks.
   */
  constructor(host: LinkHost, session: Session, codec: Codec) {
    this.host = host;
    this.session = session;
    this.connection = session.connection as WebSocketConnection;
    this.codec = codec;
    this.formats = formatsOf(codec);
    this.subscriptions = host.hub.join(this);
    session.subscriptions = this.subscriptions;
    this.client = new CentrifugeClient(this);
    this.#due = performance.now() + host.settings.connectTimeout * 1000;
    this.#pipeline = new Pipeline({
      max: host.settings.maxCommands,
      isFull: () => this.bufferedAmount > this.highWaterMark,
      execute: (command) => host.execute(this, command),
      pause: () => this.connection.pause(),
      resume: () => this.connection.resume(),
      malformed: () => this.end(...End.BAD_REQUEST),
    });
  }

  // What the connection tells.

  /** A message has come. */
  message(data: Data): void {
    if (this.state !== "ended") this.#pipeline.receive(this.codec.commands(data));
  }

  /** What waited to be sent has gone. */
  drained(): void {
    this.#pipeline.goOn();
  }

  /** The connection has ended. */
  ended(code: number, reason: string): void {
    const was = this.state;
    this.#stop();
    this.host.left(this);
    if (was !== "connected" && !this.#wasConnected) return;
    const { onDisconnect } = this.host.options;
    this.#tell("onDisconnect", () => onDisconnect?.(this.client, code, reason));
  }
  #wasConnected = false;

  #hasEnded(): boolean {
    return this.state === "ended";
  }

  #stop(): void {
    if (this.state === "connected") this.#wasConnected = true;
    this.state = "ended";
    this.#pipeline.end();
    this.#held = [];
    this.#replies = [];
  }

  /**
   * Ends the connection.
   *
   * @param code The close code.
   * @param reason The reason.
   */
  end(code: number, reason: string): void {
    if (this.state === "ended") return;
    this.#flush();
    this.#stop();
    this.session.disconnect(code, reason);
  }

  // Sending.

  /** Sends a reply, together with others that are sent in the same turn. */
  reply(reply: Reply): void {
    if (this.state === "ended") return;
    if (this.#replies.length === 0) queueMicrotask(() => this.#flush());
    this.#replies.push(this.codec.encode(reply));
    if (this.#replies.length >= BATCH) this.#flush();
  }

  /** Sends a message that belongs to no topic. */
  send(data: Data): void {
    this.push({ message: { data } });
  }

  /** Tells something without being asked. */
  push(push: Push): void {
    this.deliver(shared(this.codec.encode({ push })));
  }

  #flush(): void {
    const replies = this.#replies;
    if (replies.length === 0) return;
    this.#replies = [];
    this.connection.send(replies.length === 1 ? replies[0] : this.codec.join(replies));
  }

  /** The client was let in, and told so: from now on it is given what comes. */
  connected(answer: Reply): void {
    this.reply(answer);
    this.#flush();
    if (this.#hasEnded()) return;
    this.state = "connected";
    const { ping } = this.host.settings;
    this.#due = performance.now() + ping * (0.5 + Math.random() / 2) * 1000;
    const held = this.#held;
    this.#held = [];
    for (const message of held) this.deliver(message);
    this.host.joined(this);
  }

  /** The client was not let in: it may try again, with another token say, while there is time. */
  notConnected(): void {
    if (this.state !== "connecting") return;
    this.state = "new";
    if (performance.now() >= this.#due) this.end(...End.STALE);
  }

  // What topics ask for.

  get bufferedAmount(): number {
    return this.session.bufferedAmount;
  }

  get highWaterMark(): number {
    return this.session.highWaterMark;
  }

  deliver(message: SharedMessage): void {
    if (this.state === "ended") return;
    if (this.state !== "connected") {
      if (this.#held.push(message) > MAX_HELD) this.end(...End.SLOW);
      return;
    }
    // What was answered before must not come after it.
    this.#flush();
    if (this.session.bufferedAmount > this.host.settings.maxWaiting) this.end(...End.SLOW);
    else this.session.outbox.sendShared(message);
  }

  notifyDrained(): void {
    this.session.notifyDrained();
  }

  interrupted(topic: string): void {
    const granted = this.granted.get(topic);
    // Without recovery nobody was promised anything.
    if (granted === undefined || !granted.grant.recover) return;
    if (granted.byServer) this.end(...End.INSUFFICIENT_STATE);
    else this.unsubscribe(topic, ...Unsubscribed.INSUFFICIENT_STATE);
  }

  unencodable(_topic: string): void {
    this.end(...End.INAPPROPRIATE);
  }

  overflowed(_topic: string): void {
    this.end(...End.SLOW);
  }

  // What commands and the application ask for.

  /** Who it is to others, on a topic. */
  member(grant: Grant | undefined): Member {
    const topic = grant?.info === undefined ? undefined : JSON.stringify(grant.info);
    return {
      id: this.subscriptions.id,
      user: this.user,
      info: memberInfo(this.infoText, topic),
    };
  }

  /** Subscribes without being asked. */
  async subscribe(topic: string, grant: Grant): Promise<void> {
    if (!this.granted.has(topic)) await this.host.subscribe(this, topic, grant);
  }

  /** Ends a subscription, and tells the client why. */
  unsubscribe(topic: string, code: number, reason: string): boolean {
    if (!this.granted.delete(topic)) return false;
    this.subscriptions.unsubscribe(topic);
    if (this.state !== "ended") this.push({ channel: topic, unsubscribe: { code, reason } });
    return true;
  }

  /**
   * Asks a handler of the application.
   *
   * @param name The handler.
   * @param act Calls it.
   * @returns What it says.
   * @throws {CentrifugeError} What it threw; anything else is reported and becomes an internal error.
   */
  async ask<T>(name: string, act: () => T | PromiseLike<T>): Promise<T> {
    try {
      const result = act();
      return isThenable(result) ? await within(name, result as PromiseLike<T>) : result as T;
    } catch (error) {
      if (error instanceof CentrifugeError) throw error;
      this.host.report(handlerError(name, error), this.connection);
      throw Failure.INTERNAL;
    }
  }

  /** Calls a handler that has nothing to say. */
  #tell(name: string, act: () => unknown): void {
    const failed = (error: unknown) => this.host.report(handlerError(name, error), this.connection);
    try {
      const result = act();
      if (isThenable(result)) result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  /** Tells of a message that wants no answer. */
  tellMessage(data: Data): void {
    const { onMessage } = this.host.options;
    if (onMessage === undefined) this.end(...End.NOT_AVAILABLE);
    else this.#tell("onMessage", () => onMessage(this.client, data));
  }

  // Time.

  /**
   * Gives what a client is told of a time when something ends.
   *
   * @param expires Seconds since 1970; undefined for never.
   * @returns Fields of the reply, and the end in milliseconds since 1970.
   * @throws {CentrifugeError} 109 for a time that is over.
   */
  lifetime(
    expires: number | undefined,
  ): { fields: { expires?: true; ttl?: number }; ends: number } {
    if (expires === undefined) return { fields: {}, ends: Infinity };
    const ttl = Math.ceil(expires - Date.now() / 1000);
    if (!(ttl > 0)) throw Failure.TOKEN_EXPIRED;
    const ends = expires * 1000;
    // Only who can refresh is told.
    if (this.host.options.onRefresh === undefined) return { fields: {}, ends };
    return { fields: { expires: true, ttl }, ends: ends + REFRESH_SECONDS * 1000 };
  }

  /** The connection ends then, in milliseconds since 1970. */
  set ends(time: number) {
    this.#ends = time;
  }

  /** The application says anew when the connection ends. */
  refresh(expires: number | undefined): void {
    if (expires !== undefined && expires * 1000 <= Date.now()) return this.end(...End.EXPIRED);
    const { fields: { expires: told = false, ttl = 0 }, ends } = this.lifetime(expires);
    this.#ends = ends;
    this.push({ refresh: { expires: told, ttl } });
  }

  /** A pong has come. */
  pong(): void {
    if (this.#pongDue === Infinity) this.end(...End.BAD_REQUEST);
    this.#pongDue = Infinity;
  }

  /**
   * Does what is due.
   *
   * @param now By `performance.now()`.
   * @param date In milliseconds since 1970.
   */
  tick(now: number, date: number): void {
    if (this.state === "ended") return;
    if (now >= this.#pongDue) {
      // Nothing is read of a client whose commands are at work.
      if (!this.#pipeline.isBusy) return this.end(...End.NO_PONG);
      this.#pongDue = now + this.host.settings.pong * 1000;
    }
    if (now >= this.#due) {
      if (this.state === "new") return this.end(...End.STALE);
      if (this.state === "connected") this.#ping(now);
    }
    if (date >= this.#ends) return this.end(...End.EXPIRED);
    for (const [topic, { ends }] of this.granted) {
      if (date >= ends) this.unsubscribe(topic, ...Unsubscribed.EXPIRED);
    }
  }

  #ping(now: number): void {
    this.#due = now + this.host.settings.ping * 1000;
    this.deliver(this.codec.ping);
    if (this.#pongDue === Infinity) this.#pongDue = now + this.host.settings.pong * 1000;
  }
}

/** Waits for a handler, but not for longer than its client does. */
function within<T>(name: string, promise: PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const deadline: Expiring = {
      expired: () => reject(new Error(`${name} has not settled in ${HANDLER_SECONDS} s`)),
    };
    startDeadline(deadline, HANDLER_SECONDS);
    const settled = () => cancelDeadline(deadline, HANDLER_SECONDS);
    // Of the application's own: `then` may throw, or call back more than once.
    Promise.resolve(promise).then(resolve, reject).then(settled);
  });
}
