// Bun's own server and NATS, by hand: a stream keeps what is published and announces it, and what it announces
// goes to Bun's topics.

import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { TOPIC } from "../../engine_message.ts";
import { server } from "./bun_topics.ts";
import { broker, takeOrders } from "./orders.ts";

const connection = await connect({ servers: `127.0.0.1:${broker}` });
const manager = await jetstreamManager(connection);
await manager.streams.add({
  name: "kept",
  subjects: ["kept.*"],
  max_msgs_per_subject: 100,
  republish: { src: "kept.*", dest: "told.{{wildcard(1)}}" },
});
connection.subscribe(`told.${TOPIC}`, {
  callback: (_error, message) => void server.publish(TOPIC, message.string()),
});
const stream = jetstream(connection);
takeOrders(server.port!, (text) => {
  stream.publish(`kept.${TOPIC}`, text).catch((error) => {
    console.error(`a message was not published: ${error.message}`);
  });
});
