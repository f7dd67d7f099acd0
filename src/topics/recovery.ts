/**
 * How a stream is followed without a hole and without a repeat, as rules alone: no engine, no subscriber, no
 * time. Both a server that follows a topic and a subscriber that comes back go by them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { HistoryPage, Place, Publication } from "./engine.ts";

/** Publications that are read from history at once. */
export const PAGE = 256;
/** Bytes after which a page ends early. */
export const PAGE_BYTES = 1024 * 1024;

/** The most that a subscriber who comes back is given; one who missed more is told that it cannot. */
export interface RecoveryBounds {
  /** Publications. */
  readonly count: number;
  /** Bytes of their data. */
  readonly bytes: number;
}

/** How far a stream has been followed. */
export interface Reached {
  /** Its incarnation. */
  epoch: string;
  /** The last offset. */
  offset: number;
  /** The engine's time at which nothing up to `offset` was younger; 0 where that is not known. */
  time: number;
}

/** What an announcement is to a server that has followed the stream so far. */
export type Succession =
  /** The one that follows. */
  | "next"
  /** One that was seen. */
  | "repeat"
  /** One that follows others, which have to be read first; or may do so. */
  | "gap"
  /** One of another incarnation. */
  | "epoch"
  /** An offset that was seen, given again to something later: the stream has lost its end. */
  | "rewound";

/**
 * Tells what an announcement is.
 *
 * @param reached How far the stream has been followed.
 * @param publication The publication, which has an offset.
 * @param place Where it stands.
 * @returns What it is.
 */
export function succession(reached: Reached, publication: Publication, place: Place): Succession {
  const offset = publication.offset!;
  if (place.epoch !== reached.epoch) return "epoch";
  if (offset <= reached.offset) {
    return reached.time > 0 && publication.time > reached.time ? "rewound" : "repeat";
  }
  // Offsets may have holes, so what counts is that nothing lies between.
  return place.previous !== undefined && place.previous <= reached.offset ? "next" : "gap";
}

/** What a page of history is to one who asked for what comes after an offset. */
export type PageVerdict =
  /** It goes on from there. */
  | "whole"
  /** The stream is another one now. */
  | "epoch"
  /** The stream ends before what was seen: it has lost its end. */
  | "behind"
  /** What came next is not kept any more. */
  | "hole";

/**
 * Judges a page of history.
 *
 * @param page The page.
 * @param epoch The incarnation that was asked for.
 * @param after The offset after which it was to begin.
 * @returns What it is.
 */
export function judgePage(page: HistoryPage, epoch: string, after: number): PageVerdict {
  if (page.position.epoch !== epoch) return "epoch";
  if (page.position.offset < after || page.lost === true) return "behind";
  return page.whole ? "whole" : "hole";
}

/**
 * Tells where to read on after a page that is whole.
 *
 * @param page The page.
 * @returns The offset, or undefined at the end of the stream.
 */
export function nextPage({ position, publications }: HistoryPage): number | undefined {
  const last = publications.at(-1)?.offset;
  return last === undefined || last >= position.offset ? undefined : last;
}

/** How many bytes a publication's data has. */
export function dataSize({ data }: { data: string | Uint8Array }): number {
  return typeof data === "string" ? Buffer.byteLength(data) : data.length;
}

/** What a recovery is to do after a page. */
export type RecoveryStep =
  /** Read on, after {@linkcode Recovery.next}. */
  | "more"
  /** All up to the stream's end at that moment was read. */
  | "reached"
  /** It cannot be recovered. */
  | "lost"
  /** The stream is another one by now, or has lost its end: the server has to find that out first. */
  | "stale";

/** Collects what a subscriber has missed, page by page. */
export class Recovery {
  /** The incarnation of the stream. */
  readonly epoch: string;
  /** The offset that the subscriber has seen. */
  readonly after: number;
  /** What it has missed, as far as it was read. */
  readonly publications: Publication[] = [];
  /** Where to read on; once it is reached, how far it has come. */
  next: number;
  readonly #bounds: RecoveryBounds;
  #bytes = 0;

  /**
   * @param epoch The incarnation of the stream.
   * @param after The offset that the subscriber has seen.
   * @param bounds The most that is recovered.
   */
  constructor(epoch: string, after: number, bounds: RecoveryBounds) {
    this.epoch = epoch;
    this.after = this.next = after;
    this.#bounds = bounds;
  }

  /**
   * Takes the page that was read after {@linkcode Recovery.next}.
   *
   * @param page The page.
   * @returns What to do now.
   */
  take(page: HistoryPage): RecoveryStep {
    // What a subscriber says that it has seen is no evidence: the server knows what it has seen itself.
    if (page.lost === true) return "lost";
    const verdict = judgePage(page, this.epoch, this.next);
    if (verdict === "epoch" || verdict === "behind") return "stale";
    if (verdict === "hole") return "lost";
    for (const publication of page.publications) {
      this.#bytes += dataSize(publication);
      if (this.publications.length >= this.#bounds.count || this.#bytes > this.#bounds.bytes) {
        return "lost";
      }
      this.publications.push(publication);
      this.next = publication.offset!;
    }
    if (nextPage(page) !== undefined) return "more";
    this.next = page.position.offset;
    return "reached";
  }

  /**
   * Puts together what was read and what was published meanwhile.
   *
   * @param tail What the server has delivered to others meanwhile, in order, without a hole after `from`.
   * @param from The offset after which `tail` begins.
   * @param reached How far the server has come: what was read beyond it comes again, live.
   * @returns All from the subscriber's offset to `reached`; null where more has to be read first.
   */
  join(tail: readonly Publication[], from: number, reached: number): Publication[] | null {
    if (this.next < from) return null;
    const read = this.publications.filter(({ offset }) => offset! <= reached);
    return read.concat(tail.filter(({ offset }) => offset! > this.next));
  }
}
