import { asError, proceed } from "./awaitable.ts";
import { Backoff } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import type { Engine, EngineTopic, HistoryPage, Publication } from "./engine.ts";
import { Envelope } from "./envelope.ts";
import type { HeldBounds } from "./follower.ts";
import {
  dataSize,
  PAGE,
  PAGE_BYTES,
  type Reached,
  Recovery,
  type RecoveryBounds,
} from "./recovery.ts";
import { Stage, type Subscription } from "./subscription.ts";

/** How often history is read for one recovery: an engine that answers from the past is not asked for ever. */
const MAX_READS = 64;
/** How long what was recovered is kept for others who come back to the same offset, in milliseconds. */
const REMEMBERED = 1_000;

/** What recoveries need of their topic. */
export interface RecoveriesOwner {
  /** How far the topic has come. */
  readonly reached: Reached;
  /** Has those go live who were waiting: with what they missed, or null where that cannot be recovered. */
  recovered(subscriptions: readonly Subscription[], missed: readonly Envelope[] | null): void;
  /** The stream is not what the topic takes it for: has these wait until that is clear. */
  unsettled(subscriptions: readonly Subscription[]): void;
  failed(error: Error): void;
}

/** One recovery, for all who come back to the same offset while it goes on. */
interface Run {
  readonly recovery: Recovery;
  readonly backoff: Backoff;
  readonly waiting: Subscription[];
  reads: number;
}

/** What was recovered last, for those who come before anything else is published. */
interface Recovered {
  readonly after: number;
  readonly missed: readonly Envelope[];
}

/** The recoveries of one topic's subscribers. */
export class Recoveries {
  readonly #engine: Engine;
  readonly #topic: EngineTopic;
  readonly #owner: RecoveriesOwner;
  readonly #bounds: RecoveryBounds;
  readonly #heldBounds: HeldBounds;
  readonly #clock: Clock;
  readonly #runs = new Map<number, Run>();
  // What was delivered to others while any recovery goes on, after the offset `from`.
  #tail: Publication[] = [];
  #tailBytes = 0;
  #from = 0;
  #last: Recovered | null = null;
  #forgetLast: (() => void) | null = null;

  /**
   * @param engine Where history is read.
   * @param topic The topic.
   * @param owner Whom to tell.
   * @param bounds The most that is recovered.
   * @param heldBounds The most that waits for them.
   * @param clock Where time comes from.
   */
  constructor(
    engine: Engine,
    topic: EngineTopic,
    owner: RecoveriesOwner,
    bounds: RecoveryBounds,
    heldBounds: HeldBounds,
    clock: Clock,
  ) {
    this.#engine = engine;
    this.#topic = topic;
    this.#owner = owner;
    this.#bounds = bounds;
    this.#heldBounds = heldBounds;
    this.#clock = clock;
  }

  /**
   * Recovers a subscription of the topic's epoch from an offset that is before the topic's.
   *
   * @param subscription The subscription.
   * @param after The offset that it has seen.
   * @param page The history after that offset, where it was just read.
   */
  recover(subscription: Subscription, after: number, page: HistoryPage | null): void {
    const { epoch, offset } = this.#owner.reached;
    if (this.#last?.after === after) {
      return this.#owner.recovered([subscription], this.#last.missed);
    }
    const under = this.#runs.get(after);
    if (under !== undefined) {
      under.waiting.push(subscription);
      return;
    }
    if (this.#runs.size === 0) this.#from = offset;
    const run: Run = {
      recovery: new Recovery(epoch, after, this.#bounds),
      backoff: new Backoff(this.#clock),
      waiting: [subscription],
      reads: 0,
    };
    this.#runs.set(after, run);
    if (page === null) this.#read(run);
    else this.#take(run, page);
  }

  /**
   * Keeps a publication that others were given for those who are not live yet.
   *
   * @param publication The publication.
   */
  published(publication: Publication): void {
    this.#last = null;
    if (this.#runs.size === 0) return;
    this.#tail.push(publication);
    this.#tailBytes += dataSize(publication);
    const { count, bytes } = this.#heldBounds;
    if (this.#tail.length <= count && this.#tailBytes <= bytes) return;
    // It is in history too: the recoveries read on until they have come this far.
    this.#from = publication.offset!;
    this.#tail = [];
    this.#tailBytes = 0;
  }

  /** Ends all of them: the stream is another one now, or nobody is left. */
  abandon(): void {
    this.#last = null;
    this.#forgetLast?.();
    this.#forgetLast = null;
    const runs = [...this.#runs.values()];
    this.#runs.clear();
    this.#dropTail();
    for (const { backoff, waiting } of runs) {
      backoff.reset();
      this.#owner.recovered(waiting, null);
    }
  }

  #read(run: Run): void {
    if (run.reads++ >= MAX_READS) return this.#finish(run, null);
    const { epoch, next } = run.recovery;
    const range = { epoch: epoch, after: next, limit: PAGE, bytes: PAGE_BYTES };
    proceed(
      () => this.#engine.read(this.#topic, range),
      (page) => this.#take(run, page),
      (error) => {
        if (!this.#current(run)) return;
        this.#owner.failed(asError(error));
        run.backoff.later(() => this.#read(run));
      },
    );
  }

  #current(run: Run): boolean {
    return this.#runs.get(run.recovery.after) === run;
  }

  #take(run: Run, page: HistoryPage): void {
    if (!this.#current(run)) return;
    if (run.waiting.every(({ stage }) => stage === Stage.LEFT)) return this.#finish(run, null);
    const { recovery } = run;
    const step = recovery.take(page);
    if (step === "more") return this.#read(run);
    if (step === "lost") return this.#finish(run, null);
    if (step === "stale") {
      this.#remove(run);
      return this.#owner.unsettled(run.waiting);
    }
    const publications = recovery.join(this.#tail, this.#from, this.#owner.reached.offset);
    if (publications === null) this.#read(run);
    else this.#finish(run, publications);
  }

  #finish(run: Run, publications: readonly Publication[] | null): void {
    this.#remove(run);
    const { after } = run.recovery;
    let missed: Envelope[] | null = null;
    if (publications !== null) {
      missed = publications.map((it) => new Envelope(this.#topic.name, it));
      this.#remember({ after, missed });
    }
    this.#owner.recovered(run.waiting, missed);
  }

  #remove(run: Run): void {
    this.#runs.delete(run.recovery.after);
    if (this.#runs.size === 0) this.#dropTail();
  }

  #remember(recovered: Recovered): void {
    this.#last = recovered;
    this.#forgetLast ??= this.#clock.after(REMEMBERED, () => {
      this.#forgetLast = null;
      this.#last = null;
    });
  }

  #dropTail(): void {
    this.#tail = [];
    this.#tailBytes = 0;
  }
}
