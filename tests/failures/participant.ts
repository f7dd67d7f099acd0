import type { Engine, Position } from "../../src/topics/engine.ts";
import type { Hub } from "../../src/topics/hub.ts";
import type { Subscriber } from "../../src/topics/subscription.ts";
import type { SharedMessage } from "../../src/transport/channel.ts";
import { makeHub, type PlainMessage } from "../topics/fakes.ts";
import type { Delivery, Publishing } from "./account.ts";

/** The topic that all servers publish to. */
export const TOPIC = "failures";
/** How long a member is there unless written again, in seconds. */
export const PRESENCE_TIME = 3;

/** Whom a server tells what happens on it. */
export interface Witness {
  deliver(delivery: Delivery): void;
  interrupt(subscriber: string): void;
  publish(publishing: Publishing): void;
}

/** A subscriber that tells what it is given. */
class Seat implements Subscriber {
  readonly bufferedAmount = 0;
  readonly highWaterMark = Infinity;
  readonly #name: string;
  readonly #hub: Hub;
  readonly #witness: Witness;

  constructor(name: string, hub: Hub, witness: Witness) {
    this.#name = name;
    this.#hub = hub;
    this.#witness = witness;
  }

  deliver(message: SharedMessage): void {
    const { data, offset } = (message as PlainMessage).publication;
    const { epoch } = this.#hub.topics.get(TOPIC)!.position!;
    this.#witness.deliver({
      subscriber: this.#name,
      text: data as string,
      epoch,
      offset: offset!,
    });
  }
  interrupted(_topic: string, _position: Position): void {
    this.#witness.interrupt(this.#name);
  }
  notifyDrained(): void {}
  unencodable(): void {}
  overflowed(): void {}
}

/** One server: subscribers, and a publisher that never stops. */
export class Participant {
  readonly hub: Hub;
  /** What has failed on the way; most of it is what the test is about. */
  readonly errors: Error[];
  readonly #name: string;
  readonly #witness: Witness;
  #timer: ReturnType<typeof setInterval> | undefined;
  #number = 0;
  #marks = 0;

  constructor(name: string, engine: Engine, witness: Witness) {
    this.#name = name;
    this.#witness = witness;
    const { hub, errors } = makeHub({
      engine,
      topics: { history: { count: 10_000, age: 600 }, presence: true },
      presenceTime: PRESENCE_TIME,
    });
    this.hub = hub;
    this.errors = errors;
  }

  /** Starts, with subscribers. */
  async start(subscribers: readonly string[]): Promise<void> {
    await this.hub.start();
    for (const name of subscribers) {
      await this.hub.join(new Seat(name, this.hub, this.#witness)).subscribe(TOPIC);
    }
  }

  /** Publishes from now on, one to four at a time, every so many milliseconds. */
  publishEvery(milliseconds: number): void {
    this.#timer = setInterval(() => {
      const last = this.#number + 1 + Math.floor(Math.random() * 4);
      while (this.#number < last) this.publish(`${this.#name}.${++this.#number}`);
    }, milliseconds);
  }

  /** Publishes one. */
  async publish(text: string): Promise<boolean> {
    const { accepted, position } = await this.hub.publish(TOPIC, text);
    this.#witness.publish({ text, accepted, ...position });
    return accepted === true;
  }

  /** Publishes until it was accepted: a text that says when it was tried. */
  async mark(name: string): Promise<string> {
    for (;;) {
      const text = `${this.#name} ${name} ${++this.#marks}`;
      if (await this.publish(text)) return text;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  pause(): void {
    clearInterval(this.#timer);
  }

  async close(): Promise<void> {
    this.pause();
    await this.hub.close();
  }
}
