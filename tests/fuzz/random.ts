/** Numbers that look random and are the same for the same seed (xorshift32 after a mixing step). */
export class Random {
  #state: number;

  /** Makes a source of its own for each number of a seed. */
  constructor(seed: number, number = 0) {
    let mixed = (seed ^ Math.imul(number + 1, 0x9e3779b1)) | 0;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    this.#state = (mixed ^ (mixed >>> 16)) || 1;
  }

  /** A whole number from 0 to `bound`, that one left out. */
  below(bound: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % bound;
  }

  /** Whether something that happens so often does now. */
  chance(probability: number): boolean {
    return this.below(1_000_000) < probability * 1_000_000;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** A length: mostly short, now and then around one at which frames change their form. */
  length(): number {
    return this.chance(0.8)
      ? this.below(100)
      : this.pick([0, 124, 125, 126, 127, 1000, 4096, 65_535, 65_536, 70_000]);
  }
}
