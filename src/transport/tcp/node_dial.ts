import { connect, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls } from "node:tls";
import type { DialOptions } from "./dial.ts";
import { NodeByteSocket } from "./node_byte_socket.ts";

/**
 * Connects with `node:net`, or with `node:tls`.
 *
 * @param options Where to. What Node's socket tells of a failure is passed on.
 */
export function dialNode(options: DialOptions): Promise<void> {
  const { hostname, port, unix, tls, signal } = options;
  const where = unix === undefined
    ? { host: hostname, port, autoSelectFamily: true }
    : { path: unix };
  return new Promise((resolve, reject) => {
    const socket: Socket = tls === undefined ? connect(where) : connectTls({
      ...where,
      ...tls.ca && { ca: [...tls.ca] },
      ...tls.cert && { cert: tls.cert, key: tls.key },
      // A name is what SNI tells; an address is checked all the same (RFC 6066 §3).
      servername: isIP(tls.servername) ? "" : tls.servername,
      checkServerIdentity: (_name, certificate) => checkServerIdentity(tls.servername, certificate),
      rejectUnauthorized: tls.rejectUnauthorized,
    });
    const giveUp = (error: unknown) => {
      signal.removeEventListener("abort", abort);
      socket.destroy();
      reject(error);
    };
    const abort = () => giveUp(signal.reason);
    const closed = () =>
      giveUp(new Error("the server closed the connection during the TLS handshake"));
    signal.addEventListener("abort", abort);
    socket.once("error", giveUp);
    socket.once("close", closed);
    socket.once(tls === undefined ? "connect" : "secureConnect", () => {
      signal.removeEventListener("abort", abort);
      socket.off("error", giveUp);
      socket.off("close", closed);
      options.opened(new NodeByteSocket(socket, tls !== undefined, options));
      resolve();
    });
  });
}
