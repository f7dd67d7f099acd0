import type { WebSocketConnection } from "../mod.ts";

/**
 * Any page on the web may open a WebSocket to this server, and a browser would send its cookies
 * along (cross-site WebSocket hijacking). What a page cannot do is lie about where it came from, so
 * only pages of this very host get in. Programs that are not browsers send no `Origin`; they carry
 * nobody else's cookies and are let in.
 */
export function isSameOrigin(connection: WebSocketConnection, origin: URL | null): boolean {
  return origin === null || origin.host === connection.handshake?.request.host;
}
