/**
 * What a client sent, or is sent, as it is: JSON as a text, never parsed and printed again, or bytes where a
 * client that speaks protobuf sent something else than JSON.
 */
export type Data = string | Uint8Array;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Gives what a client sent as handlers and other clients are given it: JSON as a text, whatever brought it.
 *
 * @param data The data.
 * @returns A text where it is JSON, and the bytes otherwise.
 */
export function received(data: Data): Data;
export function received(data: Data | undefined): Data | undefined;
export function received(data: Data | undefined): Data | undefined {
  return data instanceof Uint8Array ? jsonText(data) ?? data : data;
}

/** Gives data that is JSON as the text that it is. */
function jsonText(data: Data): string | null {
  try {
    const text = typeof data === "string" ? data : decoder.decode(data);
    JSON.parse(text);
    return text;
  } catch {
    return null;
  }
}

/**
 * Gives data as JSON on one line. The text stays what it is but for line breaks between its tokens: a number
 * keeps all of its digits.
 *
 * @param data Text or bytes.
 * @returns The text; null where it is no JSON.
 */
export function asJson(data: Data): string | null {
  const text = jsonText(data);
  return text !== null && /[\n\r]/.test(text) ? text.replaceAll(/[\n\r]+/g, "") : text;
}
