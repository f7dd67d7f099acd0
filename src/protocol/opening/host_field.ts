const HOST = /^(?:[\w.~!$&'()*+,;=%-]*|\[[\da-fA-F:.]+\])(?::\d{0,5})?$/;

/**
 * Tells whether a `Host` field has the form of RFC 9112 §3.2: one host with or without a port, or nothing.
 *
 * @param value The field's value. Several fields are joined with ", ", and a blank is in no host.
 * @returns Whether it has that form.
 *
 * @example
 * ```ts
 * import { isHostField } from "@duet/websocket/protocol";
 *
 * console.assert(isHostField("example.com:8080") && !isHostField("a.example, b.example"));
 * ```
 */
export function isHostField(value: string): boolean {
  return HOST.test(value);
}
