import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { WebSocketError } from "../../base/errors.ts";
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
  const native = socket as Socket;
  keepIncoming(native, request);
  // What was to keep HTTP's connections from idling does not hold for this one.
  native.setTimeout?.(0);
  const secure = (native as { encrypted?: boolean }).encrypted === true;
  const taken = new NodeByteSocket(native, secure, host);
  openTcp(taken, host, prepared === undefined ? taken : peerOf(taken, prepared), true);
  const bytes = headOf(request);
  taken.take(head.length === 0 ? bytes : Buffer.concat([bytes, head]));
  // Of an end that has come by then, the socket does not tell again.
  if (native.readableEnded) taken.peerEnds();
}

/** What must not be in a line of a head; a parser may be lenient, and characters be more than a byte. */
const WRONG = /[^\t\x20-\x7e\x80-\xff]/g;

/** Writes a request's head again. What is wrong in it stays wrong, so that it is answered 400. */
function headOf({ method, url, httpVersion, rawHeaders }: UpgradeEvent[0]): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  }
  const head = lines.map((line) => `${line.replace(WRONG, "\0")}\r\n`).join("");
  return Buffer.from(`${head}\r\n`, "latin1");
}

/** The peer of whom the application says something beforehand. */
function peerOf(socket: NodeByteSocket, prepared: Prepared): Peer {
  const { remote, secure, native } = socket;
  return { remote, secure, native, prepared, destroy: () => socket.destroy() };
}
