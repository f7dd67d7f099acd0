// Latencies in buckets at most 1.6 % wide, so that millions cost no memory and no sorting.

const BITS = 6;
const PER_OCTAVE = 1 << BITS;

export class Histogram {
  #counts = new Float64Array(48 * PER_OCTAVE);
  #total = 0;

  get total(): number {
    return this.#total;
  }

  add(nanoseconds: number): void {
    const value = nanoseconds < 1 ? 1 : nanoseconds;
    const octave = Math.floor(Math.log2(value));
    const step = Math.floor((value / 2 ** octave - 1) * PER_OCTAVE);
    this.#counts[octave * PER_OCTAVE + step]!++;
    this.#total++;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  /** The latency in seconds that the given part of all samples does not exceed. */
  quantile(part: number): number | undefined {
    if (this.#total === 0) return undefined;
    const wanted = part * this.#total;
    let seen = 0;
    for (let i = 0; i < this.#counts.length; i++) {
      seen += this.#counts[i]!;
      if (seen >= wanted) {
        const octave = Math.floor(i / PER_OCTAVE);
        return 2 ** octave * (1 + ((i % PER_OCTAVE) + 1) / PER_OCTAVE) / 1e9;
      }
    }
    throw new Error("a histogram holds fewer samples than its total says");
  }
}
