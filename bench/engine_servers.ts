// The servers that are measured with Redis or NATS between them.

import type { Runtime, ServerEntry, Wishes } from "./servers.ts";

/** What carries publications between servers. */
export type Broker = "redis" | "nats";

const BROKERS: Record<Broker, string> = { redis: "Redis", nats: "NATS" };

function duet(runtime: "deno" | "bun", engine: Broker, history: boolean): ServerEntry {
  const name = runtime === "deno" ? "Deno" : "Bun";
  return entry({
    id: `${runtime}_${engine}${history ? "_history" : ""}`,
    label: `Duet, ${name}, ${BROKERS[engine]}${history ? ", history" : ""}`,
    runtime,
    broker: engine,
    script: "duet",
    args: [
      "--transport",
      runtime === "deno" ? "tcp" : "http",
      "--engine",
      engine,
      ...(history ? ["--history"] : []),
    ],
    ours: true,
  });
}

interface Description {
  id: string;
  label: string;
  runtime: Runtime;
  broker?: Broker;
  script: string;
  args?: string[];
  ours?: boolean;
  protocol?: ServerEntry["protocol"];
}

function entry(
  { id, label, runtime, broker = "redis", script, args = [], ours = false, protocol = "websocket" }:
    Description,
): ServerEntry {
  return {
    id,
    label,
    runtime,
    ours,
    protocol,
    broker,
    command: ({ broker, perTurn }: Wishes) => [
      `bench/servers/engines/${script}.ts`,
      "--broker",
      String(broker),
      "--per-turn",
      String(perTurn),
      ...args,
    ],
  };
}

const RUNTIMES = ["deno", "bun"] as const;

export const engineServers: ServerEntry[] = [
  ...(["redis", "nats"] as const).flatMap((engine) =>
    RUNTIMES.flatMap((runtime) => [duet(runtime, engine, false), duet(runtime, engine, true)])
  ),
  ...RUNTIMES.map((runtime) =>
    entry({
      id: `crossws_${runtime}_redis`,
      label: `crossws, ${runtime === "deno" ? "Deno" : "Bun"}, Redis`,
      runtime,
      script: `crossws_${runtime}`,
    })
  ),
  entry({
    id: "bun_serve_redis",
    label: "Bun.serve, Bun.redis",
    runtime: "bun",
    script: "bun_redis",
  }),
  entry({
    id: "bun_serve_nats",
    label: "Bun.serve, JetStream",
    runtime: "bun",
    broker: "nats",
    script: "bun_nats",
  }),
  ...["classic", "streams"].map((adapter) =>
    entry({
      id: `socket_io_${adapter}`,
      label: `socket.io, Node, Redis ${adapter === "classic" ? "adapter" : "streams adapter"}`,
      runtime: "node",
      script: "socket_io",
      args: ["--adapter", adapter],
      protocol: "socket.io",
    })
  ),
];
