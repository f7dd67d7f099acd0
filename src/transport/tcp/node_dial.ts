import { connect, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls } from "node:tls";
import type { DialOptions } from "./dial.ts";
import { NodeByteSocket } from "./node_byte_socket.ts";
import { openTunnel } from "./tunnel.ts";

/**
 * Connects with `node:net`, or with `node:tls`: under Node always, under the other runtimes by way of a proxy.
 *
 * @param options Where to. What Node's socket tells of a failure is passed on.
 */
export async function dialNode(options: DialOptions): Promise<void> {
  const { hostname, port, unix, tls, proxy, signal } = options;
  const tunnel = proxy && await openTunnel(proxy, options);
  if (signal.aborted) tunnel?.destroy();
  signal.throwIfAborted();
  const where = unix === undefined
    ? { host: hostname, port, autoSelectFamily: true }
    : { path: unix };
  await new Promise<void>((resolve, reject) => {
    const socket: Socket = tls === undefined ? tunnel ?? connect(where) : connectTls({
      ...tunnel === undefined ? where : { socket: tunnel },
      ...tls.ca && { ca: [...tls.ca] },
      ...tls.cert && { cert: tls.cert, key: tls.key },
      // An address is not told to the server (RFC 6066 §3), but its certificate has to be for it.
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
    const opened = () => {
      signal.removeEventListener("abort", abort);
      socket.off("error", giveUp);
      socket.off("close", closed);
      options.opened(new NodeByteSocket(socket, tls !== undefined, options));
      if (tunnel !== undefined) socket.resume();
      resolve();
    };
    signal.addEventListener("abort", abort);
    socket.once("error", giveUp);
    socket.once("close", closed);
    if (tls !== undefined) socket.once("secureConnect", opened);
    else if (tunnel === undefined) socket.once("connect", opened);
    else opened();
  });
}
