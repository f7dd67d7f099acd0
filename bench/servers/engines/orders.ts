// What the servers of these suites have in common: each byte on a socket of its own is an order to publish.

import { createServer } from "node:net";
import { setImmediate } from "node:timers";
import { parseArgs } from "node:util";
import { messages } from "../../engine_message.ts";

const { values } = parseArgs({
  options: {
    broker: { type: "string", default: "" },
    "per-turn": { type: "string", default: "1" },
  },
  strict: false,
});

/** Where Redis or NATS listens, on 127.0.0.1. */
export const broker = Number(values.broker);

/**
 * Takes orders, and says so together with where the server listens. Each order is a turn of its own, also
 * where many have come at once, and publishes as many messages as the command line says.
 */
export function takeOrders(port: number, publish: (text: string) => void): void {
  const perTurn = Number(values["per-turn"]);
  let next = 0;
  const turn = () => {
    for (let i = 0; i < perTurn; i++) publish(messages[next++ % messages.length]!);
  };
  const orders = createServer((socket) => {
    socket.on("data", (bytes) => {
      for (let i = 0; i < bytes.length; i++) setImmediate(turn);
    });
    socket.on("error", (error) => console.error(`the orders have ended: ${error.message}`));
  });
  orders.listen(0, "127.0.0.1", () => {
    const { port: at } = orders.address() as { port: number };
    console.log(`takes orders on ${at}, listening on ws://127.0.0.1:${port}`);
  });
}
