// Bun's own server and its own client of Redis, by hand: what Redis announces goes to Bun's topics.

import { RedisClient } from "bun";
import { TOPIC } from "../../engine_message.ts";
import { server } from "./bun_topics.ts";
import { broker, takeOrders } from "./orders.ts";

const client = new RedisClient(`redis://127.0.0.1:${broker}`);
await client.connect();
const subscriber = await client.duplicate();
await subscriber.subscribe(TOPIC, (text) => void server.publish(TOPIC, text));
takeOrders(server.port!, (text) => void client.publish(TOPIC, text));
