/**
 * Servers that are shut down while their process is as busy as it can be: they echo bytes, broadcast text
 * to those who echo, and send much at once to whoever asks for it. Each kind of client has a server with
 * the time limits that suit it, so that how fast the machine is decides on nothing. On the text "shut
 * down" all of them do, and then the program prints what was sent to whom, in one line of JSON. It does
 * not exit: it ends.
 *
 * @module
 */
import { setTimeout } from "node:timers";
import { listeningLine, readFlags, serverUrl } from "../../examples/flags.ts";
import { type WebSocketConnection, WebSocketServer } from "../../mod.ts";
import type { Account } from "./account.ts";

const PIECES = 256;
const PIECE = 65_536;
/** More waits for nobody before the next broadcast. */
const HURRY = 100_000;

const accounts = new Map<WebSocketConnection, Account>();
const errors: string[] = [];
let broadcasts = 0;
let busy = true;

const flags = readFlags({
  name: "../tests/shutdown/server.ts",
  about: "Echoes, broadcasts, and shuts down when a client says so.",
  port: 0,
});

/** More seconds than the test takes. */
const PATIENT = 60;

// Deno.serve keeps the process for as long as it waits for a word of those that it has dropped.
const server = makeServer({ closeTimeout: PATIENT, silenceMax: 10 });
// No pings: a slow reader would answer them late, and Deno.serve drops it when that is after a Close.
const patient = makeServer({ closeTimeout: PATIENT, silenceMax: 0 });
const hasty = makeServer({ closeTimeout: 1, silenceMax: 0 });

function makeServer(limits: { closeTimeout: number; silenceMax: number }): WebSocketServer {
  return new WebSocketServer({
    ...flags.options,
    ...limits,
    debug: 0,
    onConnect(_server, connection) {
      connection.on({
        ready: open,
        utf8: (connection, data) => data === "shut down" ? shutDown() : sendMuch(connection),
        binary(connection, data) {
          connection.sendBinary(data);
          if (busy) accounts.get(connection)!.echoes++;
        },
        disconnect: (connection, code) => void accounts.get(connection)!.codes.push(code),
      });
    },
    onError: (_server, error) => void errors.push(error.message),
  });
}

function open(connection: WebSocketConnection): void {
  const name = connection.handshake!.request.uri.pathname.slice(1);
  const account = { name, echoes: 0, broadcasts: 0, pieces: 0, waiting: 0, codes: [] };
  accounts.set(connection, account);
}

/** More than the system's buffers take. */
function sendMuch(connection: WebSocketConnection): void {
  const account = accounts.get(connection)!;
  for (; account.pieces < PIECES; account.pieces++) {
    connection.sendBinary(new Uint8Array(PIECE).fill(account.pieces));
  }
}

function broadcast(listeners: readonly WebSocketConnection[]): void {
  server.broadcast(`${broadcasts} `.padEnd(200, "."), listeners);
  for (const it of listeners) {
    const account = accounts.get(it)!;
    account.broadcasts++;
    account.firstBroadcast ??= broadcasts;
  }
  broadcasts++;
}

function findListeners(): WebSocketConnection[] {
  return server.connections.filter((it) => accounts.get(it)!.echoes > 0);
}

/** Broadcasts as fast as all take it. */
function goOn(): void {
  if (!busy) return;
  const listeners = findListeners();
  if (listeners.length > 0 && listeners.every((it) => it.bufferedAmount < HURRY)) {
    broadcast(listeners);
  }
  // Not an immediate: between two of those Deno seldom looks at its sockets.
  setTimeout(goOn, 0);
}

async function shutDown(): Promise<void> {
  // Nothing of this can have been written yet.
  broadcast(findListeners());
  busy = false;
  for (const [connection, account] of accounts) account.waiting = connection.bufferedAmount;
  await Promise.all([server, patient, hasty].map((it) => it.shutdown()));
  console.log(JSON.stringify({ accounts: [...accounts.values()], errors }));
}

await Promise.all([server, patient, hasty].map((it) => it.start()));
console.log(listeningLine(server, flags));
console.log(`patient: ${serverUrl(patient, flags, "ws")}`);
console.log(`hasty: ${serverUrl(hasty, flags, "ws")}`);
goOn();
