import fc from "fast-check";

/** Cuts bytes at the positions given, which need be in no order. */
export function cut(whole: Uint8Array, positions: readonly number[]): Uint8Array[] {
  const ends = [...new Set(positions)].filter((it) => it > 0 && it < whole.length)
    .sort((a, b) => a - b);
  return [0, ...ends].map((start, i) => whole.subarray(start, ends[i] ?? whole.length));
}

/** The whole, each way to cut it in two, and its single bytes. */
export function* everySplit(whole: Uint8Array): Generator<Uint8Array[]> {
  yield [whole];
  for (let at = 1; at < whole.length; at++) yield cut(whole, [at]);
  yield singleBytes(whole);
}

/** The bytes one by one. */
export function singleBytes(whole: Uint8Array): Uint8Array[] {
  return Array.from(whole, (_, i) => whole.subarray(i, i + 1));
}

/** Where to cut, for {@linkcode cutAnywhere}. */
export const anyCuts: fc.Arbitrary<number[]> = fc.array(fc.nat(), { maxLength: 12 });

/** Cuts bytes at positions taken modulo their length. */
export function cutAnywhere(whole: Uint8Array, positions: readonly number[]): Uint8Array[] {
  return cut(whole, positions.map((it) => it % whole.length));
}
