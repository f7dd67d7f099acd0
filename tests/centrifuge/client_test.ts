import { Centrifuge as JsonClient, type Subscription } from "centrifuge";
import { Centrifuge as ProtobufClient } from "centrifuge/build/protobuf";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { transports } from "../support/transports.ts";
import { host } from "./talk.ts";

type Client = JsonClient;
type Kind = "JSON" | "protobuf";

const SOON = { minReconnectDelay: 20, maxReconnectDelay: 100 };

function make(kind: Kind, url: string, token = "ada"): Client {
  const Class = kind === "JSON" ? JsonClient : ProtobufClient as unknown as typeof JsonClient;
  return new Class(url, { token, websocket: WebSocket, ...SOON });
}

/** What a client gives for JSON: the value, or over protobuf its bytes. */
function value(data: unknown): unknown {
  return data instanceof Uint8Array ? JSON.parse(Buffer.from(data).toString()) : data;
}

function bytes(kind: Kind, data: unknown): unknown {
  return kind === "JSON" ? data : Buffer.from(JSON.stringify(data));
}

async function subscribed(subscription: Subscription): Promise<void> {
  subscription.subscribe();
  await patiently(subscription.ready(), "a subscription");
}

for (const variant of transports) {
  for (const kind of ["JSON", "protobuf"] as const) {
    describe(`npm centrifuge, ${kind}, over ${variant.name}`, () => {
      it("subscribes, publishes, sees who is there, asks for history, calls, and leaves", async () => {
        await using hosted = await host(variant, {
          onSubscribe: () => ({ recover: true, presence: true, history: true, joinLeave: true }),
          onConnect: ({ token }) => ({ user: token, info: { name: token } }),
          onRpc: (_client, { method, data }) =>
            JSON.stringify([method, JSON.parse(data as string)]),
        });
        const [ada, grace] = [make(kind, hosted.url), make(kind, hosted.url, "grace")];
        try {
          const events = new Journal<unknown>();
          const [a, g] = [ada, grace].map((it) => it.newSubscription("t"));
          a.on("publication", ({ data, info }) => events.add([value(data), info?.user]));
          a.on("join", ({ info }) => info.user !== "ada" && events.add(["join", info.user]));
          a.on("leave", ({ info }) => events.add(["leave", info.user, value(info.connInfo)]));
          ada.connect();
          grace.connect();
          await subscribed(a);
          await subscribed(g);
          assertEquals(await events.next(), ["join", "grace"]);
          await g.publish(bytes(kind, { n: 1 }));
          assertEquals(await events.next(), [{ n: 1 }, "grace"]);
          await hosted.server.publish("t", '{"n":2}');
          assertEquals(await events.next(), [{ n: 2 }, undefined]);

          const { publications, offset } = await a.history({ limit: 10 });
          assertEquals(publications.map(({ data }) => value(data)), [{ n: 1 }, { n: 2 }]);
          // Over protobuf it may be a Long.
          assertEquals(Number(offset), 2);
          const { clients } = await a.presence();
          assertEquals(Object.values(clients).map(({ user }) => user).sort(), ["ada", "grace"]);
          assertEquals(await a.presenceStats(), { numClients: 2, numUsers: 2 });
          const { data } = await ada.rpc("double", bytes(kind, 21));
          assertEquals(value(data), ["double", 21]);
          g.unsubscribe();
          assertEquals(await events.next(), ["leave", "grace", { name: "grace" }]);
          assertEquals(hosted.errors, []);
        } finally {
          for (const it of [ada, grace]) it.disconnect();
        }
      });
    });
  }
}
