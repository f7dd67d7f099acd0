import { halfAPageOn } from "./half_page.ts";

/** Scratch buffers start small, as most bursts are, and grow to hold a large burst or message. */
const SIZES = [4 * 1024, 64 * 1024, 256 * 1024] as const;
/** The most bytes that one scratch buffer holds. */
export const MAX_SCRATCH: number = SIZES[2];
/** How many free scratch buffers of each size are kept for all connections together. */
const POOL_SIZES = [256, 32, 8] as const;
const pools: [Uint8Array[], Uint8Array[], Uint8Array[]] = [[], [], []];

function takeScratch(size: number): Uint8Array {
  const tier = size <= SIZES[0] ? 0 : size <= SIZES[1] ? 1 : 2;
  const scratch = pools[tier].pop();
  if (scratch !== undefined) return scratch;
  return tier === 0 ? new Uint8Array(SIZES[0]) : halfAPageOn(SIZES[tier], zeroed);
}

function zeroed(size: number): Uint8Array {
  return new Uint8Array(size);
}

function releaseScratch(scratch: Uint8Array): void {
  const tier = scratch.length === SIZES[0] ? 0 : scratch.length === SIZES[1] ? 1 : 2;
  if (pools[tier].length < POOL_SIZES[tier]) pools[tier].push(scratch);
}

/**
 * The bytes that wait to be written to one peer, in as few pieces as possible: small frames are
 * written side by side into a scratch buffer, large payloads are kept as they are. Scratch buffers
 * come from a pool, so an idle connection holds none.
 *
 * @example
 * ```ts
 * import { OutputQueue } from "@duet/websocket/protocol";
 *
 * const queue = new OutputQueue();
 * queue.reserve(2);
 * queue.scratch[queue.offset] = 0x89;
 * queue.scratch[queue.offset + 1] = 0;
 * queue.commit(2);
 * console.assert(queue.next()?.length === 2);
 * queue.done();
 * ```
 */
export class OutputQueue {
  /** How many bytes wait, those taken with {@linkcode OutputQueue.next} left out. */
  length = 0;
  /** Where the next bytes go after {@linkcode OutputQueue.reserve}. */
  scratch: Uint8Array = EMPTY;
  /** The first free byte of {@linkcode OutputQueue.scratch}. */
  offset = 0;
  // Pieces ahead of the scratch buffer, and which of them are scratch buffers to give back.
  #pieces: Uint8Array[] = NONE;
  #scratches: (Uint8Array | null)[] = NO_SCRATCHES;
  // The pieces before this one have been taken.
  #first = 0;
  #inFlight: Uint8Array | null = null;

  /**
   * Makes room in {@linkcode OutputQueue.scratch} from {@linkcode OutputQueue.offset} on.
   *
   * @param size How many bytes are going to be written, at most; at most {@linkcode MAX_SCRATCH}.
   */
  reserve(size: number): void {
    const { scratch, offset } = this;
    if (scratch.length - offset >= size) return;
    if (offset > 0 && offset + size <= SIZES[1]) {
      const larger = takeScratch(SIZES[1]);
      larger.set(scratch.subarray(0, offset));
      releaseScratch(scratch);
      this.scratch = larger;
      return;
    }
    this.#seal();
    this.scratch = takeScratch(size);
  }

  /**
   * Counts bytes as written to the scratch buffer.
   *
   * @param size How many.
   */
  commit(size: number): void {
    this.offset += size;
    this.length += size;
  }

  /**
   * Adds bytes without copying them; they must not change until they have been written.
   *
   * @param bytes The bytes.
   */
  push(bytes: Uint8Array): void {
    this.#seal();
    this.#add(bytes, null);
    this.length += bytes.length;
  }

  /**
   * Takes out the next piece to write; call {@linkcode OutputQueue.done} when it has been.
   *
   * @returns The piece, or undefined when nothing waits.
   */
  next(): Uint8Array | undefined {
    let piece: Uint8Array | undefined;
    if (this.#pieces.length > 0) {
      if (this.offset > 0) this.#seal();
      piece = this.#nextPieces();
    } else {
      piece = this.#nextScratch();
    }
    if (piece !== undefined) this.length -= piece.length;
    return piece;
  }

  /** Says that the piece taken last has been written. */
  done(): void {
    if (this.#inFlight !== null) releaseScratch(this.#inFlight);
    this.#inFlight = null;
  }

  /** Drops all that waits. A scratch buffer in flight is not pooled again: it may still be read. */
  clear(): void {
    if (this.scratch !== EMPTY) releaseScratch(this.scratch);
    for (const scratch of this.#scratches.slice(this.#first)) {
      if (scratch !== null) releaseScratch(scratch);
    }
    this.scratch = EMPTY;
    this.offset = 0;
    this.length = 0;
    this.#pieces = NONE;
    this.#scratches = NO_SCRATCHES;
    this.#first = 0;
    this.#inFlight = null;
  }

  #nextScratch(): Uint8Array | undefined {
    if (this.offset === 0) return undefined;
    const piece = this.scratch.subarray(0, this.offset);
    this.#inFlight = this.scratch;
    this.scratch = EMPTY;
    this.offset = 0;
    return piece;
  }

  /** The next piece, or several small pieces joined: a copy costs less than a write. */
  #nextPieces(): Uint8Array {
    const pieces = this.#pieces;
    const first = this.#first;
    let size = pieces[first].length;
    let end = first + 1;
    while (end < pieces.length && size + pieces[end].length <= SIZES[1]) {
      size += pieces[end++].length;
    }
    if (end === first + 1) {
      this.#inFlight = this.#scratches[first];
      return this.#take(end, pieces[first]);
    }
    const scratch = takeScratch(size);
    let at = 0;
    for (let i = first; i < end; i++) {
      scratch.set(pieces[i], at);
      at += pieces[i].length;
      const own = this.#scratches[i];
      if (own !== null) releaseScratch(own);
    }
    this.#inFlight = scratch;
    return this.#take(end, scratch.subarray(0, size));
  }

  /** Counts the pieces before `end` as taken. */
  #take(end: number, taken: Uint8Array): Uint8Array {
    if (end === this.#pieces.length) {
      this.#first = 0;
      this.#pieces = NONE;
      this.#scratches = NO_SCRATCHES;
    } else if (end >= COMPACT_FROM) {
      this.#first = 0;
      this.#pieces = this.#pieces.slice(end);
      this.#scratches = this.#scratches.slice(end);
    } else {
      this.#first = end;
    }
    return taken;
  }

  #seal(): void {
    if (this.offset > 0) this.#add(this.scratch.subarray(0, this.offset), this.scratch);
    else if (this.scratch !== EMPTY) releaseScratch(this.scratch);
    this.scratch = EMPTY;
    this.offset = 0;
  }

  #add(piece: Uint8Array, scratch: Uint8Array | null): void {
    if (this.#pieces === NONE) {
      this.#pieces = [];
      this.#scratches = [];
    }
    this.#pieces.push(piece);
    this.#scratches.push(scratch);
  }
}

const EMPTY = new Uint8Array(0);
/** Stands for no pieces, so that a connection that never queued one holds no arrays. */
const NONE: Uint8Array[] = [];
const NO_SCRATCHES: (Uint8Array | null)[] = [];
/** How many taken pieces are kept before the arrays are cut: cutting each time would be quadratic. */
const COMPACT_FROM = 256;
