import dns from "node:dns";
import { isIP } from "node:net";
import { unlessAborted } from "../../base/signal.ts";
import { bunApi, type BunSocket } from "../bun_api.ts";
import { BunByteSocket, socketHandlers } from "./bun_byte_socket.ts";
import type { DialOptions } from "./dial.ts";
import { dialNode } from "./node_dial.ts";

/** So many addresses of a name Bun tries at the same time; the others only in place of one that has failed. */
const AT_ONCE = 4;

/**
 * Connects with `Bun.connect`; to a name of many addresses with `node:net`, which tries all of them.
 *
 * @param options Where to. What Bun throws is passed on.
 */
export async function dialBun(options: DialOptions): Promise<void> {
  const { hostname, unix, signal } = options;
  if (unix === undefined && isIP(hostname) === 0) {
    const addresses = dns.promises.lookup(hostname, { all: true });
    if ((await unlessAborted(addresses, signal)).length > AT_ONCE) return await dialNode(options);
  }
  signal.throwIfAborted();
  await connect(options);
}

function connect(options: DialOptions): Promise<void> {
  const { hostname, port, unix, tls, signal } = options;
  return new Promise((resolve, reject) => {
    let connected: BunSocket<BunByteSocket> | undefined;
    let settled = false;
    const give = (error: unknown) => {
      if (settled) return;
      settled = true;
      signal.removeEventListener("abort", abort);
      connected?.terminate();
      reject(error);
    };
    const abort = () => give(signal.reason);
    const opened = (socket: BunSocket<BunByteSocket>) => {
      settled = true;
      signal.removeEventListener("abort", abort);
      options.opened(socket.data);
      resolve();
    };
    signal.addEventListener("abort", abort);
    const handlers = socketHandlers(options.report);
    bunApi().connect<BunByteSocket>({
      ...unix === undefined ? { hostname, port } : { unix },
      ...tls && {
        tls: {
          ...tls.ca && { ca: [...tls.ca] },
          ...tls.cert && { cert: tls.cert, key: tls.key },
          serverName: tls.servername,
          rejectUnauthorized: tls.rejectUnauthorized,
        },
      },
      allowHalfOpen: true,
      socket: {
        ...handlers,
        open(socket) {
          connected = socket;
          if (signal.aborted) {
            socket.terminate();
            return;
          }
          socket.data = new BunByteSocket(socket, tls !== undefined);
          if (tls === undefined) opened(socket);
        },
        handshake(socket, success, error) {
          // Bun tells of a certificate that it could not verify, and goes on all the same.
          const verified = success && socket.authorized === true;
          const failed = (error as { code?: string } | null)?.code === "EPROTO";
          if (verified || (!tls!.rejectUnauthorized && !failed)) opened(socket);
          else give(error ?? new Error("the certificate could not be verified"));
        },
        close(socket) {
          handlers.close(socket);
          give(new Error("the server closed the connection during the TLS handshake"));
        },
        connectError(_socket, error) {
          give(error);
        },
      },
    }).catch(give);
  });
}
