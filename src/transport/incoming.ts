import type { IncomingMessage } from "node:http";

const messages = new WeakMap<object, IncomingMessage>();

/**
 * Keeps the request of a `node:http` server with its socket.
 *
 * @param socket The socket.
 * @param message The request.
 */
export function keepIncoming(socket: object, message: IncomingMessage): void {
  messages.set(socket, message);
}

/**
 * Gives the request of a `node:http` server that came over a socket.
 *
 * @param socket What a connection calls its socket.
 * @returns The request, if there was one.
 */
export function incomingOf(socket: unknown): IncomingMessage | undefined {
  return typeof socket === "object" && socket !== null ? messages.get(socket) : undefined;
}
