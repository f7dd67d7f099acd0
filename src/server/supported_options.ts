import type { WebSocketConnection } from "../connection/connection.ts";
import { WebSocketError } from "../base/errors.ts";
import type { WebSocketServerOptions } from "./options.ts";
import type { Transport } from "../transport/transport.ts";

/** Options of our own engine. The runtimes' engines have bounds of their own, which cannot be set. */
const OWN_ENGINE = [
  "maxFragments",
  "maxReserve",
  "maxControlFrames",
  "maxHeaderSize",
  "maxHeaderFields",
  "listen",
] as const;

/**
 * Refuses options that a transport cannot heed: none is silently ignored.
 *
 * @param options The options.
 * @param transport The transport.
 * @throws {WebSocketError} ERR_UNSUPPORTED naming the transport that can.
 */
export function checkSupported<C extends WebSocketConnection>(
  options: WebSocketServerOptions<C>,
  transport: Transport,
): void {
  const { name, capabilities } = transport;
  const option = OWN_ENGINE.find((it) => options[it] !== undefined);
  if (!capabilities.socket && option !== undefined) {
    const why = option === "listen" ? "its engine makes its own socket" : "its engine sets its own";
    throw new WebSocketError(
      "ERR_UNSUPPORTED",
      `Cannot use "${option}" on ${name}: ${why}. Use transport: "tcp".`,
    );
  }
  if (options.proxyProtocol) checkProxyProtocol(transport, options.tls !== undefined);
}

/**
 * Refuses PROXY headers where they cannot be read.
 *
 * @param transport The transport.
 * @param secure Whether its listener speaks TLS.
 * @throws {WebSocketError} ERR_UNSUPPORTED saying what to do.
 */
export function checkProxyProtocol(transport: Transport, secure: boolean): void {
  const why = !transport.capabilities.socket
    ? `on ${transport.name}: its engine reads the socket. Use transport: "tcp".`
    : secure
    ? "with TLS: the header comes before the TLS handshake, which the runtime's listener begins at once. Let the proxy take TLS off."
    : undefined;
  if (why !== undefined) {
    throw new WebSocketError("ERR_UNSUPPORTED", `Cannot read PROXY headers ${why}`);
  }
}
