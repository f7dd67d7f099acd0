import { connect } from "@nats-io/transport-node";
import { Redis } from "ioredis";
import type { Engine } from "../../../mod.ts";
import { natsEngine } from "../../../src/nats/mod.ts";
import { redisEngine } from "../../../src/redis/mod.ts";

export type Kind = "redis" | "nats";

/** The engine on the Redis or NATS that listens on a port of this machine. */
export function engineAt(kind: Kind, port: number): Engine {
  return kind === "redis"
    ? redisEngine(new Redis({ port, host: "127.0.0.1", lazyConnect: true }))
    : natsEngine(() => connect({ servers: `127.0.0.1:${port}` }));
}
