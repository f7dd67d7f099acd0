import { handlerError, WebSocketError } from "../base/errors.ts";
import { isThenable } from "../base/thenable.ts";
import type { ConnectionSubscriptions, SubscribeResult } from "../connection/subscribing.ts";
import type { Format } from "./envelope.ts";
import type { HubLimits } from "./limits.ts";
import {
  type Pending,
  Stage,
  type Subscriber,
  Subscription,
  type SubscriptionOwner,
  type SubscriptionSetup,
} from "./subscription.ts";
import { topicNameError } from "./topic_settings.ts";

/** What subscriptions need of the hub. */
export interface SubscriptionsHost {
  readonly plain: Format;
  readonly limits: HubLimits;
  /** Gives a name that nothing else has, on any server. */
  nextId(): string;
  /** Asks the application whether a connection may subscribe. */
  admit(subscriber: Subscriber, name: string): unknown;
  /** Takes a subscription in that was admitted; tells why where it cannot. */
  enter(subscription: Subscription): Error | null;
  /** Lets subscriptions go that were taken in. */
  left(subscriptions: readonly Subscription[]): void;
  report(error: Error, subscriber?: Subscriber): void;
}

/** The subscriptions of one connection. Made when the first is asked for. */
export class Subscriptions implements SubscriptionOwner, ConnectionSubscriptions {
  /** All of them, those that have not begun among them; after the end, those that there were. */
  readonly list: Map<string, Subscription> = new Map();
  readonly #hub: SubscriptionsHost;
  readonly #subscriber: Subscriber;
  #id = "";
  #ended = false;

  /**
   * @param hub The server's topics.
   * @param subscriber The connection.
   */
  constructor(hub: SubscriptionsHost, subscriber: Subscriber) {
    this.#hub = hub;
    this.#subscriber = subscriber;
  }

  /** Whose they are. */
  get subscriber(): Subscriber {
    return this.#subscriber;
  }

  /** Names the connection to the members of topics, uniquely over all servers. */
  get id(): string {
    return this.#id ||= this.#hub.nextId();
  }

  /**
   * Subscribes. A second call for the same topic changes nothing and gives the same answer.
   *
   * @param name The topic.
   * @param setup The position to go on from, and what a layer above says of it.
   * @returns Settled once it has begun. Rejects when it is refused, or over before it began; nobody has to
   * wait for that.
   */
  subscribe(name: string, setup: SubscriptionSetup = {}): Promise<SubscribeResult> {
    const known = this.list.get(name);
    if (known !== undefined && !this.#ended) return this.#again(known);
    const error = topicNameError(name) ?? this.#limitError(name);
    if (error !== null) return rejected(error);
    const format = setup.format ?? this.#hub.plain;
    const subscription = new Subscription(name, this, this.#subscriber, format, setup);
    const { user, info } = setup;
    if (setup.member === undefined && (user !== undefined || info !== undefined)) {
      subscription.member = { id: this.id, user: user ?? "", info };
    }
    // Its place is taken before anybody is asked, so that many at once cannot take more than there are.
    this.list.set(name, subscription);
    const pending = subscription.pending = makePending();
    this.#ask(subscription);
    return pending.promise;
  }

  /**
   * Ends a subscription, also one that is under way.
   *
   * @param name The topic.
   * @returns Whether there was one.
   */
  unsubscribe(name: string): boolean {
    if (this.#ended) return false;
    const subscription = this.list.get(name);
    if (subscription === undefined) return false;
    this.list.delete(name);
    const error = cannot(name, "unsubscribe() was called meanwhile");
    if (this.#leave(subscription, error)) this.#hub.left([subscription]);
    return true;
  }

  /**
   * Tells whether publications to a topic come.
   *
   * @param name The topic.
   * @returns Whether it is subscribed to, and that has begun.
   */
  has(name: string): boolean {
    return this.list.get(name)?.stage === Stage.LIVE;
  }

  /** Sends what has waited for room: call it when the connection has none waiting any more. */
  flush(): void {
    for (const subscription of this.list.values()) subscription.flush();
  }

  /**
   * Ends all of them, since the connection has ended; {@linkcode Subscriptions.list} still tells them.
   *
   * @param slow Whether it was ended since it was too slow.
   */
  end(slow = false): void {
    if (this.#ended) return;
    this.#ended = true;
    const left: Subscription[] = [];
    for (const subscription of this.list.values()) {
      if (slow && subscription.topic !== null) subscription.topic.counts.disconnected++;
      const error = cannot(subscription.name, "the connection has ended");
      if (this.#leave(subscription, error)) left.push(subscription);
    }
    if (left.length > 0) this.#hub.left(left);
  }

  /** Leaves; true where it had been admitted. */
  #leave(subscription: Subscription, error: Error): boolean {
    const { stage, pending, topic } = subscription;
    subscription.leave();
    subscription.pending = null;
    pending?.reject(error);
    topic?.remove(subscription, stage);
    return topic !== null;
  }

  #again(known: Subscription): Promise<SubscribeResult> {
    if (known.pending !== null) return known.pending.promise;
    const { name: topic, position, recovered } = known;
    return Promise.resolve({ topic, position, recovered });
  }

  #limitError(name: string): WebSocketError | null {
    if (this.#ended) return cannot(name, "the connection has ended");
    const { maxTopicsPerConnection } = this.#hub.limits;
    if (this.list.size < maxTopicsPerConnection) return null;
    return new WebSocketError(
      "ERR_LIMIT",
      `Cannot subscribe to ${
        JSON.stringify(name)
      }: the connection is subscribed to ${this.list.size} ` +
        "topics. Unsubscribe from some or raise maxTopicsPerConnection",
    );
  }

  /** Asks whether it may subscribe. */
  #ask(subscription: Subscription): void {
    try {
      const verdict = this.#hub.admit(this.#subscriber, subscription.name);
      if (isThenable(verdict)) {
        verdict.then(
          (it) => this.#decide(subscription, it),
          (error) => this.#fail(subscription, error),
        );
      } else this.#decide(subscription, verdict);
    } catch (error) {
      this.#fail(subscription, error);
    }
  }

  #fail(subscription: Subscription, thrown: unknown): void {
    const error = handlerError("onSubscribe", thrown);
    this.#hub.report(error, this.#subscriber);
    this.refuse(subscription, error);
  }

  #decide(subscription: Subscription, verdict: unknown): void {
    if (subscription.stage === Stage.LEFT) return;
    const { name } = subscription;
    if (verdict === false) {
      const why = `Cannot subscribe to ${JSON.stringify(name)}: onSubscribe refused it`;
      return this.refuse(subscription, new WebSocketError("ERR_REFUSED", why));
    }
    const error = this.#hub.enter(subscription);
    if (error !== null) this.refuse(subscription, error);
  }

  /**
   * Ends a subscription that will not begin.
   *
   * @param subscription The subscription.
   * @param error Why.
   */
  refuse(subscription: Subscription, error: Error): void {
    if (subscription.stage === Stage.LEFT) return;
    if (this.list.get(subscription.name) === subscription) this.list.delete(subscription.name);
    if (this.#leave(subscription, error)) this.#hub.left([subscription]);
  }
}

function cannot(name: string, why: string): WebSocketError {
  return new WebSocketError("ERR_STATE", `Cannot subscribe to ${JSON.stringify(name)}: ${why}`);
}

function makePending(): Pending {
  const pending = Promise.withResolvers<SubscribeResult>();
  // Whoever does not wait for it must not have the process end.
  pending.promise.catch(() => {});
  return pending;
}

function rejected(error: Error): Promise<SubscribeResult> {
  const promise = Promise.reject(error);
  promise.catch(() => {});
  return promise;
}
