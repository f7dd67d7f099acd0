import { once } from "node:events";
import { connect } from "node:net";
import { ServerProcess } from "../support/server_process.ts";
import { upgradeRequest } from "../support/raw_client.ts";

/** What a flood does. */
export interface FloodOptions {
  /** The bytes to send first, behind the opening handshake. */
  first?: Uint8Array;
  /** The bytes to send again and again. */
  again: Uint8Array;
  /** How many bytes to send at most. */
  bytes: number;
  /** How many seconds to go on at most; default 3. */
  seconds?: number;
  /** Whether to read what comes back; default true. */
  reads?: boolean;
  /** Header fields of the opening handshake. */
  headers?: Record<string, string>;
}

/** What came of a flood. */
export interface FloodResult {
  readonly sent: number;
  /** Whether the server has ended the connection. */
  readonly ended: boolean;
  /** What the server sent last. */
  readonly last: string;
  /** By how many bytes the server's memory grew at most; 0 where the system does not tell. */
  readonly growth: number;
}

/** How much a server's memory may grow under an attack that it holds nothing for. */
export const FLAT = 48 * 1024 * 1024;

/** Sends a server more than it wants, as fast as it takes it, and watches its memory. */
export async function flood(server: ServerProcess, options: FloodOptions): Promise<FloodResult> {
  const { first, again, bytes, seconds = 3, reads = true, headers } = options;
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(server.url).port) });
  let ended = false;
  let last = "";
  // A reset is one of the ways to end it.
  socket.on("error", () => ended = true);
  socket.on("close", () => ended = true);
  socket.on("data", (chunk) => last = (last + chunk.toString("latin1")).slice(-300));
  await once(socket, "connect");
  if (!reads) socket.pause();
  socket.write(upgradeRequest(headers));
  if (first !== undefined) socket.write(first);
  const before = server.memory ?? 0;
  const deadline = performance.now() + seconds * 1000;
  let peak = before;
  let sent = 0;
  while (!ended && sent < bytes && performance.now() < deadline) {
    if (socket.writableLength < 1 << 20) {
      socket.write(again);
      sent += again.length;
    }
    await new Promise((resolve) => setImmediate(resolve));
    peak = Math.max(peak, server.memory ?? 0);
  }
  socket.destroy();
  return { sent, ended, last, growth: peak - before };
}
