// What is measured, as data: the suites, the shapes of their load, the servers in each and what is compared.

import {
  againstBare,
  againstBareInText,
  againstLibraries,
  againstTcpEcho,
  againstWs,
  atLeast,
  atMost,
  broadcastAgainst,
  connectsAgainstBare,
  deflateAgainst,
  flat,
  type Goal,
  idleBytes,
  noMoreThan,
  p99AgainstBare,
  roomAgainst,
  type Shape,
} from "./goals.ts";
import type { Figures, Job, MessageType, RoomsJob } from "./job.ts";
import { scale } from "./scale_scenarios.ts";

type Address = "port" | "pid" | "protocol" | "orders" | "publisher" | "engine";
type Unaddressed<J> = J extends Job ? Omit<J, Address> : never;

/** A job for which only the server is missing. */
export type Load = Unaddressed<Job>;

export type Metric = keyof Pick<
  Figures,
  "perSecond" | "perCpuSecond" | "p99" | "bytesPerConnection" | "cpuPerMessage" | "cpuPerByte"
>;

/** One load of a suite; most suites have one. */
export interface Point {
  id: string;
  load: Load;
}

export interface Place {
  point: string;
  server: string;
}

export interface Comparison {
  a: Place;
  b: Place;
  goal?: Goal;
}

export interface Suite {
  id: string;
  title: string;
  metric: Metric;
  points: Point[];
  comparisons: Comparison[];
  /** A paced load goes at half of the lowest peak of the suite's servers, which is measured first. */
  halfOfPeak?: true;
}

const OURS = ["deno_tcp", "bun_tcp", "deno_http", "bun_http"];
const KIB = 1024;
const MIB = KIB * KIB;

const runtimeOf = (ours: string) => ours.split("_")[0]!;
const bareOf = (ours: string) => `${runtimeOf(ours)}_serve`;
/** The same, looking for silence as ours do: on Deno that costs something. */
const timedOf = (ours: string) => ours.startsWith("deno") ? "deno_serve_timed" : "bun_serve";

/** How long each run is, and how large the largest ones are. */
export interface Extent {
  warmup: number;
  seconds: number;
  idle: number;
  /** The most connections that are all busy. */
  busy: number;
  largest: number;
  wave: number;
  types: MessageType[];
}

export const full: Extent = {
  warmup: 0.4,
  seconds: 0.65,
  idle: 8_000,
  busy: 10_000,
  // Deno.serve takes no larger message.
  largest: 64 * MIB - 1,
  wave: 4_000,
  types: ["binary", "text"],
};

export const quick: Extent = {
  warmup: 0.1,
  seconds: 0.15,
  idle: 1_000,
  busy: 1_000,
  largest: 4 * MIB,
  wave: 200,
  types: ["binary", "text"],
};

export function suites(extent: Extent): Suite[] {
  const { warmup, seconds } = extent;
  const message = { bytes: 64, type: "binary" as MessageType, deflate: false, warmup, seconds };
  return [
    ...throughput(message, extent.types),
    ...deflate(message),
    broadcast({ ...message, bytes: 128, type: "text" }),
    ...rooms({ ...message, bytes: 128, type: "text" }),
    ...latency(message),
    connects(message, extent.wave),
    idle(message, extent.idle),
    growthInConnections(message, extent.idle),
    growthInBytes(message, extent.largest),
    ...scale(message, extent.busy),
    ...ends(message, extent.idle),
  ];
}

type Message = Pick<Load, "bytes" | "type" | "deflate" | "warmup" | "seconds">;

/** Every comparison within the only point of a suite. */
function pairs(
  list: [ours: string, peer: string, goal: Goal | undefined][],
  point = "all",
): Comparison[] {
  return list.map(([ours, peer, goal]) => ({
    a: { point, server: ours },
    b: { point, server: peer },
    goal,
  }));
}

function bound(ours: string, shape: Shape, type: MessageType): number {
  const inText = type === "text" ? againstBareInText[ours]?.[shape] : undefined;
  return inText ?? againstBare[ours]![shape];
}

function throughput(message: Message, types: MessageType[]): Suite[] {
  const shapes: [shape: Shape, bytes: number, connections: number, inFlight: number][] = [
    ["64 B x 32", 64, 16, 32],
    ["64 B x 1", 64, 16, 1],
    ["64 KiB", 64 * KIB, 4, 1],
    ["1 MiB", MIB, 2, 1],
  ];
  return shapes.flatMap(([shape, bytes, connections, inFlight]) =>
    types.map((type): Suite => ({
      id: `${shape.replaceAll(" ", "")}-${type}`,
      title: `Echo of ${shape.split(" x ")[0]} ${type}, ${inFlight} in flight, ` +
        `${connections} connections`,
      metric: "perSecond",
      points: [{
        id: "all",
        load: { ...message, kind: "echo", bytes, type, connections, inFlight, rotate: false },
      }],
      comparisons: pairs(OURS.flatMap((ours): [string, string, Goal | undefined][] => [
        [ours, timedOf(ours), atLeast(bound(ours, shape, type))],
        ...(timedOf(ours) === bareOf(ours)
          ? []
          : [[ours, bareOf(ours), undefined] as [string, string, undefined]]),
        ...(ours.endsWith("_tcp")
          ? [[ours, `${ours}_echo`, atLeast(againstTcpEcho[shape])] as [string, string, Goal]]
          : []),
        [ours, `crossws_${runtimeOf(ours)}`, atLeast(againstLibraries)],
        ...["node", "bun", "deno"].map((runtime): [string, string, Goal] => [
          ours,
          `ws_${runtime}`,
          atLeast(againstLibraries),
        ]),
      ])),
    }))
  );
}

function deflate(message: Message): Suite[] {
  const shapes: [name: string, bytes: number, connections: number, inFlight: number][] = [
    ["1 KiB", KIB, 16, 4],
    ["64 KiB", 64 * KIB, 4, 1],
  ];
  return shapes.map(([name, bytes, connections, inFlight]) => ({
    id: `deflate-${name.replace(" ", "")}`,
    title: `Compressed echo of ${name} JSON, ${inFlight} in flight, ${connections} connections`,
    metric: "perSecond",
    points: [{
      id: "all",
      load: {
        ...message,
        kind: "echo",
        bytes,
        type: "text",
        deflate: true,
        connections,
        inFlight,
        rotate: false,
      },
    }],
    comparisons: pairs(
      ["deno_tcp", "bun_tcp", "bun_http"].flatMap((ours) =>
        Object.entries(deflateAgainst[name]!).map(([peer, bound]): [string, string, Goal] => [
          ours,
          peer,
          atLeast(ours === "bun_http" && peer === "bun_serve" ? 0.97 : bound),
        ])
      ),
    ),
  }));
}

function broadcast(message: Message): Suite {
  return {
    id: "broadcast",
    title: "Broadcast of 128 B text to 1,000 connections, 4 in flight (a message: one delivery)",
    metric: "perSecond",
    points: [{
      id: "all",
      load: { ...message, kind: "broadcast", connections: 1_000, inFlight: 4 },
    }],
    comparisons: pairs(
      OURS.flatMap((ours) =>
        Object.entries(broadcastAgainst).map((
          [peer, bound],
        ): [string, string, Goal | undefined] => [
          ours,
          peer,
          // Deno.serve has no publish: over it a broadcast can only be a loop of its own sends.
          ours === "deno_http" ? undefined : atLeast(bound),
        ])
      ),
    ),
  };
}

type Room = Pick<RoomsJob, "connections" | "members" | "talkers" | "topics" | "inFlight">;

/** In a room a message is one delivery; every server hears of topics, and none leaves out the speaker. */
function rooms(message: Message): Suite[] {
  const shapes: [id: string, title: string, room: Room][] = [
    ["room-32", "One room of 32 where all talk, 8 in flight each", {
      connections: 32,
      members: 32,
      talkers: 32,
      topics: 1,
      inFlight: 8,
    }],
    ["room-1000", "One room of 1,000 where one talks, 4 in flight", {
      connections: 1_000,
      members: 1_000,
      talkers: 1,
      topics: 1,
      inFlight: 4,
    }],
    ["topics-10000", "10,000 topics of 10, 1,000 connections, 100 talk, 4 in flight each", {
      connections: 1_000,
      members: 10,
      talkers: 1,
      topics: 100,
      inFlight: 4,
    }],
  ];
  return shapes.map(([id, title, room]) => ({
    id,
    title: `${title}, 128 B text (a message: one delivery)`,
    // Reading each delivery costs the load process as much as the server: often it is the limit.
    metric: "perCpuSecond",
    points: [{ id: "all", load: { ...message, kind: "rooms", ...room } }],
    comparisons: pairs(OURS.flatMap((ours) => {
      const peers = [
        ...new Set([bareOf(ours), "bun_serve", "ws_node", `crossws_${runtimeOf(ours)}`]),
      ];
      return peers.map((peer): [string, string, Goal | undefined] => {
        const bound = id === "room-32" ? roomAgainst[ours]![peer] : undefined;
        return [ours, peer, bound === undefined ? undefined : atLeast(bound)];
      });
    })),
  }));
}

/** A p99 needs a longer look: in half a second one stall of the machine is more than a hundredth. */
const LATENCY_TIMES = 4;

function latency(message: Message): Suite[] {
  return ["deno", "bun"].map((runtime) => ({
    id: `latency-${runtime}`,
    title: "Latency of 64 B binary, 16 connections, at half of the lowest peak of these servers",
    metric: "p99",
    halfOfPeak: true,
    points: [{
      id: "all",
      load: {
        ...message,
        seconds: message.seconds * LATENCY_TIMES,
        kind: "paced",
        connections: 16,
        rate: 0,
      },
    }],
    comparisons: pairs([
      [`${runtime}_tcp`, `${runtime}_serve`, atMost(p99AgainstBare)],
      [`${runtime}_http`, `${runtime}_serve`, atMost(p99AgainstBare)],
    ]),
  }));
}

function connects(message: Message, wave: number): Suite {
  return {
    id: "connects",
    title: "Connections opened with their handshake, 64 at a time (a message: one connection)",
    // On loopback the kernel charges most of a new connection to whoever opens it, so that the load process is the
    // limit; a second of the server's processor is what can be compared.
    metric: "perCpuSecond",
    points: [{ id: "all", load: { ...message, kind: "connect", connections: 64, wave } }],
    comparisons: pairs(OURS.map((ours) => [ours, bareOf(ours), atLeast(connectsAgainstBare)])),
  };
}

function idle(message: Message, connections: number): Suite {
  return {
    id: "idle",
    title: `Memory of ${connections.toLocaleString("en")} idle connections`,
    metric: "bytesPerConnection",
    points: [{ id: "all", load: { ...message, kind: "idle", connections } }],
    comparisons: pairs(OURS.map((ours) => [ours, bareOf(ours), noMoreThan(idleBytes[ours]!)])),
  };
}

/** The mount on node:http and the client, against `ws` on each runtime and the runtimes' own clients. */
function ends(message: Message, most: number): Suite[] {
  const shapes: [
    id: keyof typeof againstWs,
    name: string,
    inFlight: number,
    over: Partial<Message>,
  ][] = [
    ["many", "64 B x 16", 16, {}],
    ["one", "64 B x 1", 1, {}],
    ["large", "64 KiB", 1, { bytes: 64 * KIB }],
    ["deflate", "deflate 1 KiB", 4, { bytes: KIB, type: "text", deflate: true }],
  ];
  const echoes = shapes.flatMap(([id, name, inFlight, over]) =>
    [false, true].map((ofClient): Suite => {
      const connections = id === "large" ? 4 : 16;
      const load: Load = {
        ...message,
        ...over,
        kind: "echo",
        connections,
        inFlight,
        rotate: false,
      };
      const what = ofClient ? "Clients that echo" : "Echo on node:http of";
      return {
        id: `${ofClient ? "client" : "mount"}-${name.replaceAll(" ", "")}`,
        title: `${what} ${name.split(" x ")[0]} ${load.type}, ${inFlight} in flight, ` +
          `${connections} connections`,
        // What answers a client, or asks a server, must not be what is compared.
        metric: "perCpuSecond",
        points: [{ id: "all", load }],
        comparisons: againstOthers(ofClient, atLeast(againstWs[id]), load.deflate),
      };
    })
  );
  const load: Load = { ...message, kind: "idle", connections: most / 4 };
  return [
    ...echoes,
    ...[false, true].map((ofClient): Suite => ({
      id: ofClient ? "client-idle" : "mount-idle",
      title: `Memory of ${(most / 4).toLocaleString("en")} idle ` +
        (ofClient ? "clients" : "connections on node:http"),
      metric: "bytesPerConnection",
      points: [{ id: "all", load }],
      comparisons: againstOthers(ofClient, atMost(1), false),
    })),
  ];
}

/** Of the runtimes' own clients only Bun's compresses. */
const COMPRESSES = ["bun"];

function againstOthers(ofClient: boolean, goal: Goal, deflate: boolean): Comparison[] {
  return pairs(["node", "deno", "bun"].flatMap((runtime) => {
    if (!ofClient) return [[`${runtime}_mount`, `ws_${runtime}`, goal]];
    const list: [string, string, Goal | undefined][] = [
      [`${runtime}_client`, `ws_client_${runtime}`, goal],
    ];
    if (!deflate || COMPRESSES.includes(runtime)) {
      list.push([`${runtime}_client`, `native_client_${runtime}`, undefined]);
    }
    return list;
  }));
}

const GROWING = [...OURS, "deno_serve", "bun_serve"];

/** Each server against itself: the last point against the first. */
function growth(points: Point[]): Comparison[] {
  const [first, last] = [points[0]!.id, points.at(-1)!.id];
  return GROWING.map((server) => ({
    a: { point: last, server },
    b: { point: first, server },
    goal: OURS.includes(server) ? atMost(flat) : undefined,
  }));
}

function growthInConnections(message: Message, most: number): Suite {
  const points = [10, most / 8, most].map((connections): Point => ({
    id: `${connections.toLocaleString("en")} connections`,
    load: { ...message, kind: "echo", connections, inFlight: 10, rotate: true },
  }));
  return {
    id: "growth-connections",
    title: "Cost of a 64 B message as connections grow, 10 in flight on all of them together",
    metric: "cpuPerMessage",
    points,
    comparisons: growth(points),
  };
}

function growthInBytes(message: Message, largest: number): Suite {
  const points = [64 * KIB, MIB, largest].map((bytes): Point => ({
    id: bytes < MIB ? `${bytes / KIB} KiB` : `${Math.round(bytes / MIB)} MiB`,
    load: { ...message, kind: "echo", bytes, connections: 1, inFlight: 1, rotate: false },
  }));
  return {
    id: "growth-bytes",
    title: "Cost of a byte as binary messages grow, 1 connection, 1 in flight",
    metric: "cpuPerByte",
    points,
    comparisons: growth(points),
  };
}
