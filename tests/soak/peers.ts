import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../fuzz/random.ts";
import { clientFrame, closeBytes } from "../support/client_frame.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import type { Target } from "../support/targets.ts";

/** What all peers of one run share. */
export interface Run {
  readonly url: string;
  readonly target: Target;
  readonly random: Random;
  /** When to come to an end, on the clock of `performance.now()`. */
  readonly deadline: number;
  readonly figures: Figures;
  /** Settles each time when all who can are to come anew at once. */
  readonly storm: () => Promise<void>;
}

/** What the peers have counted. */
export interface Figures {
  connections: number;
  /** The messages that proper clients have sent, and got back as they were. */
  sent: number;
  received: number;
  /** How long steady clients waited for each answer, in milliseconds. */
  readonly times: number[];
  readonly failures: string[];
}

type Peer = (run: Run) => Promise<void>;

function going(run: Run): boolean {
  return performance.now() < run.deadline && run.figures.failures.length === 0;
}

async function open(run: Run): Promise<RawClient> {
  run.figures.connections++;
  return await RawClient.open(run.url);
}

/** Sends a message and waits until it comes back. */
async function roundTrip(run: Run, client: RawClient, size: number): Promise<void> {
  const message = `${run.figures.sent} `.padEnd(size, ".");
  run.figures.sent++;
  client.write(clientFrame(1, message));
  for (let frame = await client.frame();; frame = await client.frame()) {
    if (frame === null) throw new Error("the server ended a proper connection");
    if (frame.opcode === 9) client.write(clientFrame(10, frame.payload));
    if (frame.opcode > 8) continue;
    if (frame.payload.toString() !== message) throw new Error("a message came back changed");
    run.figures.received++;
    return;
  }
}

/** A client that is there all along. */
async function steady(run: Run): Promise<void> {
  using client = await open(run);
  while (going(run)) {
    const began = performance.now();
    await roundTrip(run, client, run.random.length());
    run.figures.times.push(performance.now() - began);
    await sleep(200 + run.random.below(600));
  }
}

/** A client that comes, says something, and leaves in order. */
async function churning(run: Run): Promise<void> {
  while (going(run)) {
    using client = await open(run);
    for (let count = 1 + run.random.below(4); count > 0; count--) {
      await roundTrip(run, client, run.random.length());
    }
    await Promise.race([run.storm(), sleep(500 + run.random.below(3000))]);
    client.write(clientFrame(8, closeBytes(1000)));
    const code = await client.closeCode();
    if (code !== 1000) throw new Error(`a Close frame of 1000 was answered with ${code}`);
  }
}

/** A client that takes its time to read what it has asked for. */
async function slow(run: Run): Promise<void> {
  while (going(run)) {
    using client = await open(run);
    for (let count = 1 + run.random.below(3); count > 0 && going(run); count--) {
      client.socket.pause();
      const trip = roundTrip(run, client, 100_000);
      // Not awaited while the client does not read.
      const settled = trip.then(() => {}, () => {});
      for (let left = 5; left > 0; left--) {
        await sleep(50 + run.random.below(100));
        client.socket.resume();
        await new Promise((resolve) => setImmediate(resolve));
        client.socket.pause();
      }
      client.socket.resume();
      await settled;
      await trip;
    }
  }
}

/** Opens a socket that is written to and never read, as of a machine that has gone. */
async function openUnread(run: Run): Promise<Socket> {
  run.figures.connections++;
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(run.url).port) });
  // The server is expected to drop it.
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.pause();
  socket.write(upgradeRequest());
  return socket;
}

/** A peer that has gone without a word: it reads nothing and answers no ping. */
async function halfOpen(run: Run): Promise<void> {
  while (going(run)) {
    const socket = await openUnread(run);
    for (let count = run.random.below(60); count > 0; count--) {
      socket.write(clientFrame(2, new Uint8Array(65_536)));
    }
    const left = Math.max(0, run.deadline - performance.now());
    // Some stay until the server has given them up, others go before.
    await sleep(Math.min(3000 + run.random.below(20_000), left));
    socket.destroy();
  }
}

/** A peer that drops its connection with a reset, in the midst of what it sends or at once. */
async function resetting(run: Run): Promise<void> {
  while (going(run)) {
    const socket = await openUnread(run);
    if (run.target.keepsSockets) await once(socket.resume(), "data");
    if (run.random.chance(0.7)) {
      socket.write(clientFrame(2, run.random.bytes(run.random.length())));
      await sleep(run.random.below(300));
    }
    socket.resetAndDestroy();
    await sleep(run.random.below(300));
  }
}

/** A peer that leaves within a request or within a frame. */
async function breakingOff(run: Run): Promise<void> {
  while (going(run)) {
    run.figures.connections++;
    using client = await RawClient.connect(run.url);
    const head = upgradeRequest();
    if (run.random.chance(0.3)) {
      client.write(head.slice(0, run.random.below(head.length)));
    } else {
      client.write(head);
      const frame = clientFrame(1, "x".repeat(1000 + run.random.below(100_000)));
      client.write(frame.subarray(0, run.random.below(frame.length)));
    }
    await sleep(run.random.below(300));
    client.socket.end();
    await sleep(run.random.below(300));
  }
}

/** The kinds of peers, each with its share. */
export const PEERS: readonly (readonly [share: number, peer: Peer])[] = [
  [0.25, steady],
  [0.4, churning],
  [0.1, slow],
  [0.05, halfOpen],
  [0.1, resetting],
  [0.1, breakingOff],
];
