/**
 * Tells bytes from other values.
 *
 * @param data Any value.
 * @returns Whether it is a `Uint8Array` whose memory is there: that of a buffer which was transferred away,
 * or has shrunk, is not, though it looks like no bytes.
 */
export function isBytes(data: unknown): data is Uint8Array {
  // A Proxy is an instance too, and no view.
  if (!ArrayBuffer.isView(data) || !(data instanceof Uint8Array)) return false;
  return data.length > 0 || hasMemory(data);
}

function hasMemory(empty: Uint8Array): boolean {
  try {
    return new Uint8Array(empty).length === 0;
  } catch {
    return false;
  }
}
