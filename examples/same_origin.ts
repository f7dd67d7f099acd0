import type { Handshake, WebSocketConnection } from "../mod.ts";

/**
 * Refuses pages of other hosts; made for the `handshake` event, where `Host` is known too.
 *
 * Any page on the web may open a WebSocket to this server, and a browser would send its cookies
 * along (cross-site WebSocket hijacking). What a page cannot do is lie about where it came from, so
 * only pages of this very host get in. Programs that are not browsers send no `Origin`; they carry
 * nobody else's cookies and are let in.
 */
export function requireSameOrigin(_connection: WebSocketConnection, handshake: Handshake): void {
  const { origin, host } = handshake.request;
  if (origin === null) return;
  // A page without an origin of its own (in a sandbox, or opened from a file) says "null".
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  handshake.reject(403, { body: "Pages of another origin may not open a WebSocket here.\n" });
}
