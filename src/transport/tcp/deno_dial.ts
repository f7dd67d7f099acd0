import { WebSocketError } from "../../base/errors.ts";
import { unlessAborted } from "../../base/signal.ts";
import { denoApi, type DenoConn } from "../deno_api.ts";
import { DenoByteSocket } from "./deno_byte_socket.ts";
import type { DialOptions, DialTls } from "./dial.ts";

/**
 * Connects with `Deno.connect`, and for TLS with `Deno.startTls`, or `Deno.connectTls` where the client has a
 * certificate.
 *
 * @param options Where to.
 * @throws {WebSocketError} ERR_UNSUPPORTED for what Deno's TLS cannot do. What Deno throws is passed on.
 */
export async function dialDeno(options: DialOptions): Promise<void> {
  const { tls, hostname, signal } = options;
  if (tls !== undefined) checkTls(tls, options);
  const conn = tls?.cert === undefined ? await connect(options) : await connectTls(options, tls);
  if (signal.aborted) {
    conn.close();
    throw signal.reason;
  }
  const socket = new DenoByteSocket(conn, tls !== undefined, options.report);
  options.opened(socket);
  socket.read();

  async function connect({ port, unix }: DialOptions): Promise<DenoConn> {
    const plain = unix === undefined
      ? await denoApi().connect({ hostname, port, signal, autoSelectFamily: true })
      : await heeding(signal, denoApi().connect({ transport: "unix", path: unix }));
    if (tls === undefined) return plain;
    try {
      return await handshake(await denoApi().startTls(plain, trust(tls)), signal);
    } catch (error) {
      closeQuietly(plain);
      throw error;
    }
  }
}

function trust({ servername, ca }: DialTls): { hostname: string; caCerts?: string[] } {
  return { hostname: servername, ...ca === undefined ? {} : { caCerts: [...ca] } };
}

async function connectTls({ port, signal }: DialOptions, tls: DialTls): Promise<DenoConn> {
  const { cert, key } = tls as { cert: string; key: string };
  const connecting = denoApi().connectTls({ ...trust(tls), port, cert, key });
  return await handshake(await heeding(signal, connecting), signal);
}

/** Waits for a connection that Deno cannot be told to give up; one that comes too late is closed. */
async function heeding(signal: AbortSignal, connecting: Promise<DenoConn>): Promise<DenoConn> {
  try {
    return await unlessAborted(connecting, signal);
  } catch (error) {
    connecting.then(closeQuietly, () => {});
    throw error;
  }
}

/** Deno does the handshake with the first read or write, where a failure would look like an end. */
async function handshake(conn: DenoConn, signal: AbortSignal): Promise<DenoConn> {
  const abort = () => closeQuietly(conn);
  signal.addEventListener("abort", abort);
  try {
    await conn.handshake?.();
    return conn;
  } catch (error) {
    closeQuietly(conn);
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function closeQuietly(conn: DenoConn): void {
  try {
    conn.close();
  } catch {
    // It is closed, or has become a TLS connection.
  }
}

function checkTls(tls: DialTls, { hostname, unix }: DialOptions): void {
  if (!tls.rejectUnauthorized) {
    throw unsupported(
      "rejectUnauthorized: false",
      "Deno verifies every certificate. Give the server's own, or its signer's, as ca.",
    );
  }
  if (tls.cert !== undefined && tls.servername !== hostname) {
    throw unsupported(
      "servername beside cert",
      "Deno takes a client certificate only for the name it connects to. Leave servername out.",
    );
  }
  if (tls.cert !== undefined && unix !== undefined) {
    throw unsupported("cert beside unix", "Deno takes a client certificate only over TCP.");
  }
}

function unsupported(what: string, why: string): WebSocketError {
  return new WebSocketError("ERR_UNSUPPORTED", `Cannot use tls ${what} on deno_tcp: ${why}`);
}
