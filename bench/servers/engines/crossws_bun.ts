// crossws on Bun with its synchronization over Redis, as its manual shows it.

import crossws from "crossws/adapters/bun";
import { redis, type RedisClientLike } from "crossws/sync";
import { Redis } from "ioredis";
import { TOPIC } from "../../engine_message.ts";
import { broker, takeOrders } from "./orders.ts";

// Its type knows only one of the ways to call subscribe.
const client = new Redis({ host: "127.0.0.1", port: broker }) as unknown as RedisClientLike;
const ws = crossws({
  sync: redis({ channel: TOPIC, client }),
  hooks: {
    open(peer) {
      peer.subscribe(TOPIC);
    },
  },
});

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, server) => ws.handleUpgrade(request, server),
  websocket: ws.websocket,
});
takeOrders(server.port!, (text) => ws.publish(TOPIC, text));
