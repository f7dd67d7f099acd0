import { once } from "node:events";
import { connect } from "node:net";
import { concat } from "../support/client_frame.ts";
import { ServerProcess } from "../support/server_process.ts";
import { HealthyClient } from "../support/healthy_client.ts";
import type { Target } from "../support/targets.ts";
import { cutAtRandom, mutate } from "./mutate.ts";
import { Random } from "./random.ts";
import { makeSession } from "./session.ts";

/** Sessions that run at the same time. */
const CONCURRENCY = 16;
/** How long a session that the server does not end may stay. */
const SESSION_MS = 150;
/** More than this no server needs for 16 sessions; what one frees again is the runtime's affair. */
const MAX_MEMORY = 600 * 1024 * 1024;

/** What to fuzz, and for how long. */
export interface FuzzOptions {
  target: Target;
  /** The same seed makes the same sessions. */
  seed: number;
  /** The number of the first session; default 0. */
  start?: number;
  seconds: number;
}

/** What came of it. */
export interface FuzzReport {
  readonly sessions: number;
  readonly bytes: number;
  readonly roundTrips: number;
  /** The most memory that the server had, in bytes; 0 where the system does not tell. */
  readonly memory: number;
  readonly failures: readonly string[];
}

/** Sends mutated sessions to an echo server, and sees to it that it serves others all along. */
export async function fuzz({ target, seed, start = 0, seconds }: FuzzOptions): Promise<FuzzReport> {
  const { runtime, transport, compresses } = target;
  const flags = compresses ? ["--deflate"] : [];
  await using server = await ServerProcess.start({ runtime, transport, flags });
  const { port } = new URL(server.url);
  const failures: string[] = [];
  const deadline = performance.now() + seconds * 1000;
  const healthy = await HealthyClient.start(server.url, deadline);
  let next = start;
  let bytes = 0;
  let memory = 0;
  const running = () => failures.length === 0 && performance.now() < deadline;

  const fuzzOn = async () => {
    while (running()) {
      const number = next++;
      bytes += await playSession(Number(port), new Random(seed, number), target);
      memory = Math.max(memory, server.memory ?? 0);
      // Far fewer sessions than that are under way: the one that did it is among the last.
      const trouble = server.ended
        ? "the server has ended"
        : server.output !== ""
        ? "the server has printed something"
        : healthy.failure;
      if (trouble !== undefined && failures.length === 0) {
        failures.push(`${trouble}, around session ${number} of seed ${seed}\n${server.output}`);
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, fuzzOn));

  const { roundTrips, failure } = await healthy.stop();
  if (failure !== undefined && failures.length === 0) failures.push(failure);
  if (memory > MAX_MEMORY) failures.push(`the server came to have ${memory} bytes of memory`);
  if (!server.ended) {
    const code = await server.stop();
    if (code !== 0) failures.push(`the server ended with ${code}\n${server.output}`);
  }
  return { sessions: next - start, bytes, roundTrips, memory, failures };
}

/** Sends one session, and gives how many bytes it had. */
async function playSession(
  port: number,
  random: Random,
  { keepsSockets }: Target,
): Promise<number> {
  const bytes = makeBytes(random);
  const socket = connect({ host: "127.0.0.1", port });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  // The server may well reset a connection like this.
  socket.on("error", () => {});
  if (random.chance(0.9)) socket.resume();
  try {
    await Promise.race([once(socket, "connect"), closed]);
    for (const piece of cutAtRandom(random, bytes)) {
      if (socket.destroyed) break;
      socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (random.chance(0.3)) socket.end();
    else if (random.chance(0.2) && (!keepsSockets || socket.bytesRead > 0)) {
      socket.resetAndDestroy();
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, SESSION_MS));
    await Promise.race([closed, late]);
    clearTimeout(timer);
  } finally {
    socket.destroy();
  }
  return bytes.length;
}

function makeBytes(random: Random): Uint8Array {
  const { head, frames } = makeSession(random);
  const other = makeSession(random);
  switch (random.below(4)) {
    case 0:
      return concat(mutate(random, head, other.head), frames);
    case 1:
      return mutate(random, concat(head, frames), concat(other.head, other.frames));
    default:
      // What comes behind a handshake that is right gets furthest.
      return concat(head, mutate(random, frames, other.frames));
  }
}
