import { WebSocketError } from "./errors.ts";

/**
 * Bytes in memory: an `ArrayBuffer`, a `SharedArrayBuffer`, or any view of one, as a `DataView`. It is what the
 * web calls a `BufferSource`, with shared memory.
 */
export type BinaryData = ArrayBufferView | ArrayBufferLike;

/** What {@linkcode bytesOf} takes, for the messages of errors. */
const BYTES =
  "a Uint8Array, an ArrayBuffer or another view of one, of memory that was not transferred";

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

/**
 * Gives the bytes of what a caller wants to send.
 *
 * @param call The call, such as "sendBinary()".
 * @param data What it was given.
 * @param others What else it takes, for the message of the error.
 * @returns The same bytes, not copied.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for anything but bytes in memory.
 */
export function bytesOf(call: string, data: unknown, others = ""): Uint8Array {
  if (isBytes(data)) return data;
  const bytes = viewOf(data);
  if (bytes !== undefined) return bytes;
  const why = data instanceof Blob
    ? "a Blob, whose bytes are not in memory: give await blob.arrayBuffer()"
    : `this: it takes ${others}${BYTES}`;
  throw new WebSocketError("ERR_INVALID_ARGUMENT", `Cannot ${call} ${why}`);
}

/**
 * Gives bytes that no other thread changes.
 *
 * @param bytes The bytes.
 * @returns The same, or a copy where their memory is shared.
 */
export function unshared(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof SharedArrayBuffer ? bytes.slice() : bytes;
}

/** The bytes of a buffer or a view; undefined for anything else, and where their memory is gone. */
function viewOf(data: unknown): Uint8Array | undefined {
  try {
    if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) {
      const bytes = new Uint8Array(data);
      // Of a Proxy, this would be a copy of nothing.
      return bytes.buffer === data ? bytes : undefined;
    }
    if (!ArrayBuffer.isView(data) || data instanceof Uint8Array) return undefined;
    const { buffer, byteOffset, byteLength } = data;
    if (byteLength === 0 && !(data instanceof DataView) && !hasMemory(data as Uint8Array)) {
      return undefined;
    }
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch {
    return undefined;
  }
}

function hasMemory(empty: ArrayLike<number>): boolean {
  try {
    return new Uint8Array(empty).length === 0;
  } catch {
    return false;
  }
}
