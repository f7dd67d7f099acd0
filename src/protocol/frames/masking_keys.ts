/** How many keys one call of the random generator gives. */
const BATCH = 1024;
const keys = new Int32Array(BATCH);
let next = BATCH;

/**
 * Gives a masking key (RFC 6455 §5.3): 32 bits from a strong source of randomness, so that whoever chooses
 * what a client sends cannot tell what goes over the wire (§10.3). Keys are drawn in batches, and each is
 * given once.
 *
 * @returns The key, its first byte in the lowest 8 bits.
 *
 * @example
 * ```ts
 * import { takeMaskingKey } from "@duet/websocket/protocol";
 *
 * const keys = new Set(Array.from({ length: 100 }, () => takeMaskingKey()));
 * console.assert(keys.size > 90);
 * ```
 */
export function takeMaskingKey(): number {
  if (next === BATCH) {
    crypto.getRandomValues(keys);
    next = 0;
  }
  return keys[next++];
}
