/**
 * Stands in for `@std/http/etag` where JSR cannot be reached: the part that `examples/http_app.ts`
 * uses.
 *
 * @module
 */

/** The entity tag of a text: its length and its digest. */
export async function eTag(entity: string): Promise<string> {
  const bytes = new TextEncoder().encode(entity);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `"${bytes.length.toString(16)}-${btoa(String.fromCharCode(...digest))}"`;
}

/**
 * Whether a request with this `If-None-Match` header wants the whole answer: false when the client
 * has the entity with this tag, compared weakly as RFC 9110 §13.1.2 asks.
 */
export function ifNoneMatch(value: string | null, etag: string | undefined): boolean {
  if (!value || !etag) return true;
  if (value.trim() === "*") return false;
  return !value.split(",").some((tag) => opaque(tag.trim()) === opaque(etag));
}

function opaque(tag: string): string {
  return tag.replace(/^W\//, "");
}
