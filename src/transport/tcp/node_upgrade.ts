import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { WebSocketError } from "../../base/errors.ts";
import { formatFields } from "../../protocol/mod.ts";
import { incomingOf, keepIncoming } from "../incoming.ts";
import type { Peer, Prepared, TransportHost, UpgradeEvent } from "../transport.ts";
import { NodeByteSocket } from "./node_byte_socket.ts";
import { openTcp } from "./tcp_opening.ts";

/**
 * Takes over a socket whose request head a `node:http` or `node:https` server has read. From the head on, this
 * is what any socket gets: the head is read once more from what Node has made of it, with our rules and limits.
 *
 * @param event What the server's `upgrade` event gave.
 * @param host Our server.
 * @param prepared What the application says of the request beforehand, if anything.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT when these are not the arguments of an `upgrade` event, ERR_STATE
 * for a socket that was taken over before.
 */
export function openUpgrade(
  [request, socket, head]: UpgradeEvent,
  host: TransportHost,
  prepared?: Prepared,
): void {
  if (
    !Array.isArray(request?.rawHeaders) || typeof socket?.write !== "function" ||
    typeof socket.on !== "function" || !(head instanceof Uint8Array)
  ) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      "Cannot upgrade this: give the request, the socket and the head of a node:http server's upgrade event",
    );
  }
  if (incomingOf(socket) !== undefined) {
    throw new WebSocketError(
      "ERR_STATE",
      "Cannot upgrade this socket twice: another listener of the upgrade event has done so. Have one listener look at the request, and call handleUpgrade() once.",
    );
  }
  // Its client has left while the application was at work: nobody is there to be let in.
  if (socket.destroyed) return;
  const { method, url, httpVersion, rawHeaders } = request;
  const fields: [string, string][] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) fields.push([rawHeaders[i], rawHeaders[i + 1]]);
  const text = `${method} ${url} HTTP/${httpVersion}\r\n${formatFields(fields)}\r\n`;
  const native = socket as Socket;
  keepIncoming(native, request);
  // What was to keep HTTP's connections from idling does not hold for this one.
  native.setTimeout?.(0);
  const secure = (native as { encrypted?: boolean }).encrypted === true;
  const taken = new NodeByteSocket(native, secure, host);
  openTcp(taken, host, prepared === undefined ? taken : peerOf(taken, prepared), true);
  const bytes = Buffer.from(text, "latin1");
  taken.take(head.length === 0 ? bytes : Buffer.concat([bytes, head]));
  // Of an end that has come by then, the socket does not tell again.
  if (native.readableEnded) taken.peerEnds();
}

/** The peer of whom the application says something beforehand. */
function peerOf(socket: NodeByteSocket, prepared: Prepared): Peer {
  const { remote, secure, native } = socket;
  return { remote, secure, native, prepared, destroy: () => socket.destroy() };
}
