import { bunApi, type BunSocket } from "../bun_api.ts";
import { BunByteSocket, socketHandlers } from "./bun_byte_socket.ts";
import type { DialOptions } from "./dial.ts";

/**
 * Connects with `Bun.connect`.
 *
 * @param options Where to. What Bun throws is passed on.
 */
export function dialBun(options: DialOptions): Promise<void> {
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
