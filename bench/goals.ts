// The goals that the tables print beside each comparison.

export interface Goal {
  /** What is held against the bound: A divided by B, or A alone. */
  of: "ratio" | "value";
  at: "least" | "most";
  bound: number;
}

export const atLeast = (bound: number): Goal => ({ of: "ratio", at: "least", bound });
export const atMost = (bound: number): Goal => ({ of: "ratio", at: "most", bound });
export const noMoreThan = (bound: number): Goal => ({ of: "value", at: "most", bound });

export type Shape = "64 B x 32" | "64 B x 1" | "64 KiB" | "1 MiB";

const KIB = 1024;

/** Against the runtime's own bare API that looks for silence as often, by transport. */
export const againstBare: Record<string, Record<Shape, number>> = {
  deno_tcp: { "64 B x 32": 12, "64 B x 1": 1.05, "64 KiB": 1.15, "1 MiB": 1.1 },
  bun_tcp: { "64 B x 32": 1, "64 B x 1": 0.97, "64 KiB": 1.15, "1 MiB": 1.1 },
  deno_http: { "64 B x 32": 0.97, "64 B x 1": 0.97, "64 KiB": 0.97, "1 MiB": 0.97 },
  bun_http: { "64 B x 32": 0.97, "64 B x 1": 0.97, "64 KiB": 0.97, "1 MiB": 0.97 },
};

/** The tcp transports against a plain TCP echo of the same runtime. */
export const againstTcpEcho: Record<Shape, number> = {
  "64 B x 32": 0.6,
  "64 B x 1": 0.95,
  "64 KiB": 0.8,
  "1 MiB": 0.8,
};

/** Everything of ours against `ws` on every runtime and crossws on the same one. */
export const againstLibraries = 1;

/** Texts of this size are made of bytes and back, which Bun.serve does in C++. */
export const againstBareInText: Record<string, Partial<Record<Shape, number>>> = {
  bun_tcp: { "1 MiB": 1 },
};

export const deflateAgainst: Record<string, Record<string, number>> = {
  "1 KiB": { ws_node: 2, bun_serve: 0.9 },
  "64 KiB": { ws_node: 2, bun_serve: 1 },
};
export const broadcastAgainst: Record<string, number> = { ws_node: 4, bun_serve: 0.8 };
/** A room of 32 where all talk: against the runtime's own way, Bun's publish or a loop on Deno.serve. */
export const roomAgainst: Record<string, Record<string, number>> = {
  deno_tcp: { deno_serve: 12, bun_serve: 0.9 },
  bun_tcp: { bun_serve: 1.1 },
  deno_http: {},
  bun_http: { bun_serve: 0.9 },
};
export const connectsAgainstBare = 1;
export const p99AgainstBare = 1;
/** Bytes of an idle connection. */
export const idleBytes: Record<string, number> = {
  deno_tcp: 11 * KIB,
  bun_tcp: 2.5 * KIB,
  deno_http: 22 * KIB,
  bun_http: 2.3 * KIB,
};

/** On a server of node:http, and as a client: against `ws` on the same runtime. */
export const againstWs = { many: 5, one: 1, large: 1, deflate: 2 };

/** Publications by way of an engine, against crossws on the same runtime: none of crossws's are kept. */
export const enginesAgainst = { live: 1, history: 0.9, historyInBatches: 2 };

/** "Flat" in figures: the largest may cost this much more than the smallest. */
export const flat = 1.25;
