import { WebSocketError } from "../base/errors.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { CloseCode } from "../protocol/mod.ts";

/**
 * Joins two connections, as a proxy does: what comes on one is sent on the other, and how one ends, the other
 * does. A side that takes its messages slowly has the other side wait: its socket is not read meanwhile. Pings
 * are answered on each side by itself.
 *
 * Both may be connections of servers or of clients. The handlers for messages are replaced; those for
 * `disconnect` are called as before.
 *
 * A close code and its reason are passed on as they came. When one side is lost without a Close frame, the
 * other hears 1014, bad gateway. A message over the other side's `maxSendSize` ends both with 1009.
 *
 * @param one A connection that is open, or has ended.
 * @param other Another one.
 * @returns Settled when both have ended. It rejects with ERR_STATE when one is not open yet, or is read with
 * `recv()`.
 *
 * @example A proxy
 * ```ts ignore
 * import { WebSocketServer } from "@duet/websocket";
 * import { bridge, connect } from "@duet/websocket/client";
 *
 * const server = new WebSocketServer({
 *   port: 8080,
 *   onConnect: (_server, client) =>
 *     void client.on({
 *       ready: async (client) => void bridge(client, await connect("wss://example.com/chat")),
 *     }),
 * });
 * await server.start();
 * ```
 */
export async function bridge(one: WebSocketConnection, other: WebSocketConnection): Promise<void> {
  for (const it of [one, other]) {
    if (it.isReady || it.disconnecting || it.disconnected) continue;
    throw new WebSocketError(
      "ERR_STATE",
      "Cannot bridge a connection that is not open yet: do so in its ready event",
    );
  }
  // Both have handlers before either can tell of anything.
  const ends = [join(one, other), join(other, one)];
  await Promise.all(ends);
}

/** Passes on what comes on one connection, and its end; settles when it has ended. */
function join(from: WebSocketConnection, to: WebSocketConnection): Promise<void> {
  if (from.disconnected) {
    to.disconnect(CloseCode.BAD_GATEWAY);
    return Promise.resolve();
  }
  const { onDisconnect } = from;
  return new Promise((resolve) => {
    from.on({
      utf8: undefined,
      binary: undefined,
      message(from, data) {
        try {
          // Until it settles, nothing more is told, and soon nothing more is read.
          return to.send(data) ? undefined : to.drained();
        } catch (error) {
          from.disconnect(CloseCode.MESSAGE_TOO_BIG);
          to.disconnect(CloseCode.MESSAGE_TOO_BIG);
          throw error;
        }
      },
      disconnect(from, code, reason) {
        if (code === CloseCode.ABNORMAL_CLOSURE) to.disconnect(CloseCode.BAD_GATEWAY);
        else if (code === CloseCode.NO_STATUS_RECEIVED) to.disconnect();
        else to.disconnect(code, reason);
        resolve();
        return onDisconnect?.(from, code, reason);
      },
    });
  });
}
