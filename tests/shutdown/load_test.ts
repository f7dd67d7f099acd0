import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ServerProcess } from "../support/server_process.ts";
import { runtime, type Variant, variants } from "../support/transports.ts";
import type { Account } from "./account.ts";
import { BusyClient } from "./busy_client.ts";

const CLIENTS = 100;
/** When each client has so many echoes, it is the midst of it all. */
const ECHOES = 300;
const PATIENCE_MS = 120_000;
const CLEAN = 1001;
const OTHER_URLS = /^patient: (\S+)\nhasty: (\S+)$/m;
const ACCOUNTS = /^\{"accounts".*\}$/m;
const MIB = 1024 * 1024;

/** What one client has, beside what it was sent. */
interface Outcome {
  readonly client: BusyClient;
  readonly account: Account;
  /** The code of the Close frame that it got; null for none. */
  readonly code: number | null;
  /** Whether it has all that was sent before the shutdown. */
  readonly complete: boolean;
}

interface Shutdown {
  readonly busy: Outcome[];
  /** It reads nothing until the busy ones have gone, and is on a server that waits for it. */
  readonly slow: Outcome;
  /** It reads nothing at all, and is on a server that is out of patience soon. */
  readonly deaf: Outcome;
  readonly errors: string[];
  readonly exitCode: number | null;
}

/** Shuts a server down that is as busy as it can be, and gathers what came of it. */
async function shutDown({ transport, secure }: Variant): Promise<Shutdown> {
  const script = "tests/shutdown/server.ts";
  await using server = await ServerProcess.start({ transport, script, flags: tlsFlags(secure) });
  using clients = new DisposableStack();
  await server.printed(OTHER_URLS);
  const [, patientUrl, hastyUrl] = OTHER_URLS.exec(server.output)!;
  const open = async (name: string, url = server.url) =>
    clients.use(await BusyClient.open(url, name));
  const [slow, deaf] = await Promise.all([open("slow", patientUrl), open("deaf", hastyUrl)]);
  for (const it of [slow, deaf]) {
    it.read(false);
    it.order("send much");
  }
  const busy: BusyClient[] = [];
  for (let i = 0; i < CLIENTS; i++) busy.push(await open(`busy${i}`));

  await pump(busy, () => busy.every((it) => it.echoes >= ECHOES));
  busy[0].order("shut down");
  await pump(busy, () => busy.every((it) => it.closed));
  slow.read(true);
  await Promise.all([slow.ended, ...busy.map((it) => it.ended)]);
  await server.printed(ACCOUNTS);
  deaf[Symbol.dispose]();
  const exitCode = await server.end();

  const told = JSON.parse(ACCOUNTS.exec(server.output)![0]) as {
    accounts: Account[];
    errors: string[];
  };
  assertEquals(told.accounts.length, CLIENTS + 2);
  const outcome = async (client: BusyClient): Promise<Outcome> => {
    const account = told.accounts.find((it) => it.name === client.name)!;
    return { client, account, code: await client.ended, complete: hasAll(client, account) };
  };
  return {
    busy: await Promise.all(busy.map(outcome)),
    slow: await outcome(slow),
    deaf: await outcome(deaf),
    errors: told.errors,
    exitCode,
  };
}

function tlsFlags(secure: boolean): string[] {
  if (!secure) return [];
  const path = (name: string) => fileURLToPath(new URL(`../tls/${name}`, import.meta.url));
  return ["--cert", path("cert.pem"), "--key", path("key.pem")];
}

/** Has clients send for as long as it takes. */
async function pump(clients: BusyClient[], done: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!done()) {
    assert(performance.now() < deadline, `it took over ${PATIENCE_MS} ms`);
    for (const it of clients) it.pump();
    // Not an immediate: between two of those Deno seldom looks at its sockets.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

function hasAll(client: BusyClient, account: Account): boolean {
  const { echoes, broadcasts, firstBroadcast, pieces } = account;
  if (client.echoes < echoes || client.pieces < pieces) return false;
  return firstBroadcast === undefined ||
    (client.firstBroadcast === firstBroadcast &&
      client.nextBroadcast >= firstBroadcast + broadcasts);
}

/** What is amiss in an outcome, for a test to show. */
function shown({ account, client: { echoes, nextBroadcast, pieces }, code }: Outcome): string {
  return JSON.stringify({ account, got: { echoes, nextBroadcast, pieces, code } });
}

for (const variant of variants) {
  const { name, engine, secure } = variant;

  describe(`shutdown under full load over ${name}`, () => {
    let once: Promise<Shutdown> | undefined;
    const result = () => once ??= shutDown(variant);

    it("nothing comes out of order, each connection has one disconnect, the process ends", async () => {
      const { busy, slow, deaf, errors, exitCode } = await result();
      const all = [...busy, slow, deaf];
      assertEquals(all.map(({ client }) => client.failure).filter((it) => it !== undefined), []);
      for (const it of all) assertEquals(it.account.codes.length, 1, shown(it));
      for (const it of busy) {
        assert(it.account.echoes >= ECHOES && it.account.broadcasts > 0, shown(it));
        assert(it.code === CLEAN || it.code === null, shown(it));
      }
      assertEquals([errors, exitCode], [[], 0]);
    });

    it("what was sent before arrives, or disconnect says otherwise", async () => {
      for (const it of (await result()).busy) {
        const { account: { codes }, code, complete } = it;
        assert(complete || codes[0] !== CLEAN, shown(it));
        // Deno.serve drops a connection that it closes while frames come.
        if (engine === "tcp") assertEquals([complete, codes, code], [true, [CLEAN], CLEAN]);
      }
    });

    it("a slow reader gets what waits for it, or disconnect says otherwise", async () => {
      const { slow, deaf } = await result();
      // Deno's TLS client reads on, and keeps what it has read, while it is paused.
      const waits = !(runtime === "deno" && secure);
      if (waits) assert(slow.account.waiting > MIB && deaf.account.waiting > MIB, shown(slow));
      assertEquals([slow.complete, slow.code, slow.account.codes], [true, CLEAN, [CLEAN]]);
      assertEquals([deaf.complete, deaf.account.codes], [false, [1006]], shown(deaf));
    });
  });
}
