/** Half of a page of memory, in bytes. */
export const HALF_PAGE = 2048;

/**
 * Takes memory that begins half a page later than other large arrays do. Some processors copy 15 times as long
 * when what is written begins up to 63 bytes further in its page than what is read: behind a frame's header, say.
 *
 * @param size How many bytes.
 * @param allocate Makes the memory.
 * @returns The array; it need not be zeroed.
 */
export function halfAPageOn(size: number, allocate: (size: number) => Uint8Array): Uint8Array {
  return allocate(size + HALF_PAGE).subarray(HALF_PAGE);
}
