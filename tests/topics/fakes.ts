import type { Clock } from "../../src/topics/clock.ts";
import type { Position, Publication } from "../../src/topics/engine.ts";
import type { Format } from "../../src/topics/envelope.ts";
import { Hub } from "../../src/topics/hub.ts";
import type { HubOptions } from "../../src/topics/hub_options.ts";
import { readSettings } from "../../src/server/settings.ts";
import type { HubLimits } from "../../src/topics/limits.ts";
import type { Subscriber } from "../../src/topics/subscription.ts";
import { readTopicsOption, type TopicsOption } from "../../src/topics/topic_settings.ts";
import type { SharedMessage } from "../../src/transport/channel.ts";

/** A clock that stands still until a test moves it. */
export class TestClock implements Clock {
  #now = 1_700_000_000_000;
  #timers: { due: number; act: () => void }[] = [];

  /** How many timers wait. */
  get waiting(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, act: () => void): () => void {
    const timer = { due: this.#now + milliseconds, act };
    this.#timers.push(timer);
    return () => this.#timers = this.#timers.filter((it) => it !== timer);
  }

  /** Moves on, calling what is due on the way. */
  pass(seconds: number): void {
    const end = this.#now + seconds * 1000;
    for (;;) {
      const next = this.#timers.reduce<{ due: number; act: () => void } | undefined>(
        (first, it) => first === undefined || it.due < first.due ? it : first,
        undefined,
      );
      if (next === undefined || next.due > end) break;
      this.#timers = this.#timers.filter((it) => it !== next);
      this.#now = Math.max(this.#now, next.due);
      next.act();
    }
    this.#now = end;
  }
}

/** A message of the plain format, as a connection would send it. */
export interface PlainMessage extends SharedMessage {
  readonly publication: Publication;
}

/** A message that several connections send, as far as tests look at it. */
export function sharedMessage(data: string | Uint8Array): SharedMessage {
  return { data, size: data.length, frame: () => new Uint8Array() };
}

/** The plain format, counting what it encodes. */
export class PlainFormat implements Format {
  encoded = 0;

  publication(_topic: string, publication: Publication): PlainMessage {
    this.encoded++;
    return { ...sharedMessage(publication.data), publication };
  }
}

/** A connection that writes down what it is given. */
export class TestSubscriber implements Subscriber {
  bufferedAmount = 0;
  highWaterMark = 100;
  /** What was sent, as text. */
  readonly received: string[] = [];
  /** The same, whole. */
  readonly publications: Publication[] = [];
  /** Everything in order, with what it was told beside publications. */
  readonly journal: string[] = [];
  drainsWanted = 0;
  /** Called within each delivery. */
  onDeliver: ((text: string) => void) | null = null;
  #watchers: (() => void)[] = [];

  deliver(message: SharedMessage): void {
    const text = typeof message.data === "string"
      ? message.data
      : `bytes ${[...message.data].join(" ")}`;
    this.received.push(text);
    this.journal.push(text);
    const { publication } = message as Partial<PlainMessage>;
    if (publication !== undefined) this.publications.push(publication);
    this.onDeliver?.(text);
    this.#changed();
  }

  notifyDrained(): void {
    this.drainsWanted++;
  }

  interrupted(topic: string, position: Position): void {
    this.journal.push(`interrupted ${topic} ${position.offset}`);
    this.#changed();
  }

  unencodable(topic: string): void {
    this.journal.push(`unencodable ${topic}`);
  }

  overflowed(topic: string): void {
    this.journal.push(`overflowed ${topic}`);
  }

  /** Settles once something is so. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  #changed(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }
}

/** What {@linkcode makeHub} takes. */
export interface TestHubOptions extends Partial<Omit<HubOptions, "settings" | "limits">> {
  engine: HubOptions["engine"];
  topics?: TopicsOption;
  limits?: Partial<HubLimits>;
}

/** A hub for tests. What it reports is kept, and thrown by nobody. */
export function makeHub(
  options: TestHubOptions,
): { hub: Hub; plain: PlainFormat; errors: Error[] } {
  const errors: Error[] = [];
  const plain = new PlainFormat();
  const { topics, limits, ...rest } = options;
  const hub = new Hub({
    plain,
    report: (error) => void errors.push(error),
    ...rest,
    settings: readTopicsOption(topics),
    limits: { ...readSettings({}), ...limits },
  });
  return { hub, plain, errors };
}

/** History enough for any test. */
export const HISTORY = { history: { count: 1000, age: 3600 } };
