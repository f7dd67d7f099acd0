import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { constants, deflateRawSync } from "node:zlib";
import { clientFrame, concat } from "../../support/client_frame.ts";
import { upgradeRequest } from "../../support/raw_client.ts";

/** How an attacker goes about, and how it is called. */
export interface Attack {
  readonly title: string;
  /** Whether the server is to offer permessage-deflate. */
  readonly deflate?: boolean;
  run(attacker: Attacker): Promise<void>;
}

/** What an attack needs to know. */
export class Attacker {
  readonly port: number;
  readonly deadline: number;

  constructor(url: string, seconds: number) {
    this.port = Number(new URL(url).port);
    this.deadline = performance.now() + seconds * 1000;
  }

  get going(): boolean {
    return performance.now() < this.deadline;
  }

  /** Connects; undefined when the server does not take it. */
  async connect(reads = true): Promise<Socket | undefined> {
    const socket = connect({ host: "127.0.0.1", port: this.port });
    // That the server ends it is what every attacker has to expect.
    socket.on("error", () => {});
    if (reads) socket.resume();
    else socket.pause();
    const closed = once(socket, "close").catch(() => {});
    await Promise.race([once(socket, "connect").catch(() => {}), closed]);
    return socket.destroyed ? undefined : socket;
  }

  /** Connects and asks for a WebSocket; does not wait for the answer. */
  async open(reads = true, headers: Record<string, string> = {}): Promise<Socket | undefined> {
    const socket = await this.connect(reads);
    socket?.write(upgradeRequest(headers));
    return socket;
  }

  /** Opens many that stay until the end. */
  async openMany(count: number, act: (socket: Socket) => void, head?: string): Promise<void> {
    for (let i = 0; i < count && this.going; i += 50) {
      await Promise.all(Array.from({ length: 50 }, async () => {
        const socket = head === undefined ? await this.open() : await this.connect();
        if (head !== undefined) socket?.write(head);
        if (socket !== undefined) act(socket);
      }));
    }
    await sleep(Math.max(0, this.deadline - performance.now()));
  }

  /** Does something on several connections over and over, and comes anew when one is ended. */
  async flood(
    { width = 4, reads = true, headers = {}, first, again }: {
      width?: number;
      reads?: boolean;
      headers?: Record<string, string>;
      first?: Uint8Array;
      again: Uint8Array;
    },
  ): Promise<void> {
    const one = async () => {
      while (this.going) {
        const socket = await this.open(reads, headers);
        if (socket === undefined) continue;
        if (first !== undefined) socket.write(first);
        while (this.going && !socket.destroyed) {
          if (socket.writableLength < 1 << 20) socket.write(again);
          await new Promise((resolve) => setImmediate(resolve));
        }
        socket.destroy();
      }
    };
    await Promise.all(Array.from({ length: width }, one));
  }

  /** Does something short over and over. */
  async storm(act: () => Promise<void>, width = 32): Promise<void> {
    const one = async () => {
      while (this.going) await act();
    };
    await Promise.all(Array.from({ length: width }, one));
  }
}

function times(count: number, piece: Uint8Array): Uint8Array {
  return concat(...new Array<Uint8Array>(count).fill(piece));
}

const OFFER = { "Sec-WebSocket-Extensions": "permessage-deflate" };

/** The attacks by name. */
export const ATTACKS: Readonly<Record<string, Attack>> = {
  slow_heads: {
    title: "2,000 request heads that come a line a second",
    run: (attacker) =>
      attacker.openMany(2000, (socket) => {
        const drip = setInterval(() => socket.write("X: y\r\n"), 1000);
        socket.once("close", () => clearInterval(drip));
      }, "GET / HTTP/1.1\r\nHost: a\r\n"),
  },
  header_flood: {
    title: "request heads without an end",
    run: (attacker) =>
      attacker.storm(async () => {
        const socket = await attacker.connect();
        socket?.write(`GET / HTTP/1.1\r\nHost: a\r\n${"X-Flood: on and on\r\n".repeat(3000)}`);
        await new Promise((resolve) => setImmediate(resolve));
        if (socket !== undefined && !socket.destroyed) await once(socket, "close").catch(() => {});
      }, 8),
  },
  reset_storm: {
    title: "connections that ask and are reset at once",
    run: (attacker) => attacker.storm(async () => void (await attacker.open())?.resetAndDestroy()),
  },
  slow_bodies: {
    title: "2,000 frames that claim 16 MiB and bring a byte",
    run: (attacker) =>
      attacker.openMany(2000, (socket) => {
        socket.write(clientFrame(2, "x", { claim: 16n * 1024n * 1024n }));
      }),
  },
  empty_fragments: {
    title: "a message of empty fragments without an end",
    run: (attacker) =>
      attacker.flood({
        first: clientFrame(2, "", { fin: false }),
        again: times(10_000, clientFrame(0, "", { fin: false })),
      }),
  },
  tiny_fragments: {
    title: "a message of fragments of one byte without an end",
    run: (attacker) =>
      attacker.flood({
        first: clientFrame(2, "x", { fin: false }),
        again: times(10_000, clientFrame(0, "x", { fin: false })),
      }),
  },
  fragments_64k: {
    title: "a message of fragments of 64 KiB without an end",
    run: (attacker) =>
      attacker.flood({
        width: 1,
        first: clientFrame(2, "x", { fin: false }),
        again: clientFrame(0, new Uint8Array(65_536), { fin: false }),
      }),
  },
  tiny_messages: {
    title: "messages of one byte, as many as are taken, answers read",
    run: (attacker) => attacker.flood({ again: times(1000, clientFrame(1, "x")) }),
  },
  pings: {
    title: "pings whose pongs are not read",
    run: (attacker) =>
      attacker.flood({ reads: false, again: times(1000, clientFrame(9, "x".repeat(100))) }),
  },
  never_reads: {
    title: "messages of 64 KiB whose echoes are not read",
    run: (attacker) =>
      attacker.flood({ reads: false, again: clientFrame(2, new Uint8Array(65_536)) }),
  },
  bombs: {
    title: "10 MB that inflate to 10 GiB",
    deflate: true,
    run(attacker) {
      const block = deflateRawSync(new Uint8Array(16 << 20), {
        finishFlush: constants.Z_FULL_FLUSH,
      });
      const bomb = clientFrame(2, times(640, block), { rsv: 0x40 });
      return attacker.flood({ width: 2, headers: OFFER, again: bomb });
    },
  },
  small_bombs: {
    title: "1 KB that inflates to 1 MiB, over and over",
    deflate: true,
    run(attacker) {
      const block = deflateRawSync(new Uint8Array(1 << 20), {
        finishFlush: constants.Z_SYNC_FLUSH,
      });
      const frame = clientFrame(2, block.subarray(0, -4), { rsv: 0x40 });
      return attacker.flood({ width: 2, headers: OFFER, again: times(16, frame) });
    },
  },
};
