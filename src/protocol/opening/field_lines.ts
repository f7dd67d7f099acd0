/**
 * Field lines (RFC 9112 §5): a token, directly followed by a colon, and no control character in the value.
 * A folded line begins with a blank, so it does not match. No character can match in two places, so
 * matching takes linear time.
 */
export const FIELD_LINES: RegExp =
  /^(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*)*$/;

/** Counts the fields, up to one more than there may be. */
export function countFields(fields: string, most: number): number {
  let count = 0;
  for (let at = fields.indexOf("\r\n"); at !== -1 && count <= most; count++) {
    at = fields.indexOf("\r\n", at + 2);
  }
  return count;
}
