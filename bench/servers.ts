// The servers that are measured: what each is called and how it is started.

import { type Broker, engineServers } from "./engine_servers.ts";
import type { Job } from "./job.ts";

export type Runtime = "deno" | "bun" | "node";

export interface Wishes {
  broadcast: boolean;
  /** How many topics each room has, where there are to be rooms. */
  topics: number | undefined;
  deflate: boolean;
  /** The largest message in bytes that the server must take. */
  maxSize: number;
  /** In how many processes it is to run, where that is asked for. */
  processes?: number;
  /** Where Redis or NATS listens, for a server that has one. */
  broker?: number;
  /** How many publications a server makes in one turn. */
  perTurn?: number;
}

export interface ServerEntry {
  id: string;
  label: string;
  runtime: Runtime;
  ours: boolean;
  /** "tcp": sends back bytes and knows nothing of WebSocket. "client": a client that sends back messages. */
  protocol: Job["protocol"];
  /** What two of these have between them, where they are measured so. */
  broker?: Broker;
  /** Script and arguments, from the project's root. */
  command(wishes: Wishes): string[];
}

function duet(runtime: Runtime, transport: "http" | "tcp"): ServerEntry {
  return {
    id: `${runtime}_${transport}`,
    label: `Duet ${transport}, ${runtime === "deno" ? "Deno" : "Bun"}`,
    runtime,
    ours: true,
    protocol: "websocket",
    command: ({ broadcast, topics, deflate, maxSize, processes }) =>
      processes !== undefined
        ? [
          "bench/servers/duet_processes.ts",
          "--transport",
          transport,
          "--processes",
          String(processes),
        ]
        : topics !== undefined
        ? ["bench/servers/duet_rooms.ts", "--transport", transport, "--topics", String(topics)]
        : broadcast
        ? ["bench/servers/duet_broadcast.ts", "--transport", transport]
        : [
          "examples/echo.ts",
          "--port",
          "0",
          "--transport",
          transport,
          "--max-size",
          String(maxSize),
          ...(deflate ? ["--deflate"] : []),
        ],
  };
}

function ws(runtime: Runtime, label: string): ServerEntry {
  return {
    id: `ws_${runtime}`,
    label,
    runtime,
    ours: false,
    protocol: "websocket",
    command: ({ broadcast, topics, deflate, maxSize }) =>
      topics !== undefined
        ? ["bench/servers/ws_rooms.js", "--topics", String(topics)]
        : broadcast
        ? ["bench/servers/ws_broadcast.js"]
        : ["bench/servers/ws.js", "--max-size", String(maxSize), ...(deflate ? ["--deflate"] : [])],
  };
}

function plain(
  id: string,
  label: string,
  runtime: Runtime,
  protocol: "websocket" | "tcp" = "websocket",
  rooms?: string,
): ServerEntry {
  const command = ({ topics }: Wishes) =>
    topics === undefined || rooms === undefined
      ? [`bench/servers/${id}.ts`]
      : [`bench/servers/${rooms}.ts`, "--topics", String(topics)];
  return { id, label, runtime, ours: false, protocol, command };
}

const RUNTIMES = [["node", "Node"], ["deno", "Deno"], ["bun", "Bun"]] as const;

/** Duet on a server of node:http, which is how `ws` always serves. */
function mounts(): ServerEntry[] {
  return RUNTIMES.map(([runtime, name]) => ({
    id: `${runtime}_mount`,
    label: `Duet on node:http, ${name}`,
    runtime,
    ours: true,
    protocol: "websocket",
    command: ({ deflate, maxSize }) => [
      "bench/servers/duet_mount.ts",
      "--max-size",
      String(maxSize),
      ...(deflate ? ["--deflate"] : []),
    ],
  }));
}

function clients(): ServerEntry[] {
  const kinds = [["duet", "Duet's client"], ["ws", "ws, client"], ["native", "WebSocket"]] as const;
  return kinds.flatMap(([kind, title]) =>
    RUNTIMES.map(([runtime, name]) => ({
      id: kind === "duet" ? `${runtime}_client` : `${kind}_client_${runtime}`,
      label: `${title}, ${name}`,
      runtime,
      ours: kind === "duet",
      protocol: "client",
      command: () => [`bench/clients/${kind}.ts`],
    }))
  );
}

export const servers: ServerEntry[] = [
  duet("deno", "tcp"),
  duet("bun", "tcp"),
  duet("deno", "http"),
  duet("bun", "http"),
  plain("deno_serve", "Deno.serve", "deno", "websocket", "deno_rooms"),
  {
    ...plain("deno_serve_timed", "Deno.serve, idleTimeout", "deno"),
    command: () => ["bench/servers/deno_serve.ts", "--idle-timeout", "20"],
  },
  {
    ...plain("bun_serve", "Bun.serve", "bun"),
    command: ({ broadcast, topics, deflate, maxSize }) =>
      topics !== undefined
        ? ["bench/servers/bun_rooms.ts", "--topics", String(topics)]
        : broadcast
        ? ["bench/servers/bun_publish.ts"]
        : [
          "bench/servers/bun_serve.ts",
          "--max-size",
          String(maxSize),
          ...(deflate ? ["--deflate"] : []),
        ],
  },
  plain("deno_tcp_echo", "plain TCP echo, Deno", "deno", "tcp"),
  plain("bun_tcp_echo", "plain TCP echo, Bun", "bun", "tcp"),
  ws("node", "ws, Node"),
  ws("bun", "ws, Bun (built in)"),
  ws("deno", "ws, Deno"),
  plain("crossws_deno", "crossws, Deno", "deno", "websocket", "crossws_deno_rooms"),
  plain("crossws_bun", "crossws, Bun", "bun", "websocket", "crossws_bun_rooms"),
  ...mounts(),
  ...clients(),
  ...engineServers,
];

export function serverById(id: string): ServerEntry {
  const found = servers.find((server) => server.id === id);
  if (!found) {
    throw new Error(
      `no server is called "${id}"; there are ${servers.map((s) => s.id).join(", ")}`,
    );
  }
  return found;
}
