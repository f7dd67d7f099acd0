const HOST = /^(?:[\w.~!$&'()*+,;=%-]*|\[[\da-fA-F:.]+\])(?::\d{0,5})?$/;

/**
 * Tells whether a text is what a Host field holds: a host and perhaps a port, nothing else (RFC 9112 §3.2).
 * Several fields joined with ", " are none.
 *
 * @param text The field's value.
 * @returns Whether it is; an empty host is one too.
 */
export function isHost(text: string): boolean {
  return HOST.test(text);
}
