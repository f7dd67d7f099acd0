import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import type { WebSocketConnection, WebSocketError, WebSocketServerOptions } from "../../mod.ts";
import { clientFrame, closeBytes, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { serve, transports, type Variant } from "../support/transports.ts";

/** What a handler does instead of its work; the promise settles at the end of the test. */
const WAYS: Record<string, (end: Promise<void>) => unknown> = {
  "throws": () => {
    throw new Error("my fault");
  },
  "rejects": () => Promise.reject(new Error("my fault")),
  "never settles": () => new Promise(() => {}),
  "takes its time": (end) => end,
};
const SERVER_EVENTS = ["onAccept", "onConnect"] as const;
const OPENING_EVENTS = ["origin", "handshake"] as const;
const EVENTS = [
  "ready",
  "utf8",
  "binary",
  "message",
  "ping",
  "pong",
  "drain",
  "disconnect",
] as const;
type Event = typeof SERVER_EVENTS[number] | typeof OPENING_EVENTS[number] | typeof EVENTS[number];

/** What makes a server call every handler, from the opening to the end. */
const SESSION = concat(
  upgradeRequest({ "X-Victim": "yes" }, "/victim"),
  clientFrame(1, "text"),
  clientFrame(2, "bytes"),
  clientFrame(9),
  clientFrame(10),
);

/** Options whose handler for one event fails, once; other connections are echoed to. */
function failing(
  event: Event,
  fail: () => unknown,
  told: Journal<[error: Error, path: string]>,
): { options: WebSocketServerOptions; called: Promise<void> } {
  const called = Promise.withResolvers<void>();
  let calls = 0;
  const failOnce = () => {
    if (calls++ > 0) return undefined;
    called.resolve();
    return fail();
  };
  const isVictim = (connection: WebSocketConnection) =>
    connection.handshake?.request.headers.get("x-victim") === "yes";
  const echo = (connection: WebSocketConnection, data: string | Uint8Array) => {
    if (!isVictim(connection)) connection.send(data);
  };
  const options: WebSocketServerOptions = {
    // So that a single message has to wait, and `drain` comes.
    highWaterMark: 0,
    handshakeTimeout: 1,
    closeTimeout: 0.1,
    onError: (_server, error, connection) => {
      told.add([error, connection?.handshake?.request.uri.pathname ?? "none"]);
    },
    onConnect(_server, connection) {
      connection.on({
        message: echo,
        ready: (connection) => void (isVictim(connection) && connection.sendUtf8("wait for it")),
      });
      if (event === "onConnect") return failOnce() as undefined;
      if (event === "onAccept") return;
      const inner = event === "message" ? echo : undefined;
      const handler = (connection: WebSocketConnection, data: string) => {
        if (isVictim(connection)) return failOnce();
        return inner?.(connection, data);
      };
      connection.on({ [event]: handler });
    },
  };
  if (event === "onAccept") options.onAccept = failOnce as WebSocketServerOptions["onAccept"];
  return { options, called: called.promise };
}

function eventsOf({ engine }: Variant): Event[] {
  const all: Event[] = [...SERVER_EVENTS, ...OPENING_EVENTS, ...EVENTS];
  // Deno.serve tells of no pings; of what Bun.serve is given here, nothing has to wait.
  if (engine === "Deno.serve") return all.filter((it) => it !== "ping" && it !== "pong");
  return engine === "Bun.serve" ? all.filter((it) => it !== "drain") : all;
}

for (const variant of transports) {
  describe(`isolation over ${variant.name}: a handler that fails harms no other connection`, () => {
    for (const event of eventsOf(variant)) {
      for (const [way, fail] of Object.entries(WAYS)) {
        it(`${event} that ${way}`, async () => {
          const told = new Journal<[Error, string]>();
          const end = Promise.withResolvers<void>();
          const { options, called } = failing(event, () => fail(end.promise), told);
          await using served = await serve(variant, options);
          using before = await bystander(served.url, event);
          using victim = await RawClient.connect(served.url);
          victim.write(SESSION);
          if (event === "disconnect") victim.write(clientFrame(8, closeBytes(1000)));
          await patiently(called, `the call of ${event}`);
          using after = await RawClient.open(served.url);
          for (let i = 0; i < 20; i++) {
            for (const client of before === undefined ? [after] : [before, after]) {
              client.write(clientFrame(1, `${i}`));
              assertEquals((await client.frame())?.payload.toString(), `${i}`);
            }
          }
          const fails = way === "throws" || way === "rejects";
          if (fails) {
            const [error, path] = await told.next();
            assertEquals((error as WebSocketError).code, "ERR_HANDLER");
            const known = !SERVER_EVENTS.includes(event as "onAccept");
            assertEquals(path, known ? "/victim" : "none");
          }
          end.resolve();
          await served.server.shutdown();
          assertEquals(told.entries.length, fails ? 1 : 0, "errors reach onError once");
        });
      }
    }
  });
}

/** A connection that is open before the victim comes; none where the victim must be the first. */
async function bystander(url: string, event: Event): Promise<RawClient | undefined> {
  return SERVER_EVENTS.includes(event as "onAccept") ? undefined : await RawClient.open(url);
}
