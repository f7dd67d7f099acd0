/** The runtimes, and what stands before the name of a program that uses the network and reads files. */
export const RUN = {
  deno: ["run", "--allow-net", "--allow-read"],
  bun: ["run"],
  node: ["--disable-warning=ExperimentalWarning"],
} as const;

export type Runtime = keyof typeof RUN;

/** One way to run the echo example: the runtime, its `--transport`, and if it can compress. */
export interface Transport {
  name: string;
  runtime: Runtime;
  kind: "http" | "tcp";
  compression: boolean;
}

export const TRANSPORTS: readonly Transport[] = [
  { name: "deno_http", runtime: "deno", kind: "http", compression: false },
  { name: "deno_tcp", runtime: "deno", kind: "tcp", compression: true },
  { name: "bun_http", runtime: "bun", kind: "http", compression: true },
  { name: "bun_tcp", runtime: "bun", kind: "tcp", compression: true },
  { name: "node_http", runtime: "node", kind: "http", compression: true },
  { name: "node_tcp", runtime: "node", kind: "tcp", compression: true },
];

/** The clients, which run on the sockets of the tcp transports. */
export const CLIENTS: readonly Transport[] = [
  { name: "deno_client", runtime: "deno", kind: "tcp", compression: true },
  { name: "bun_client", runtime: "bun", kind: "tcp", compression: true },
  { name: "node_client", runtime: "node", kind: "tcp", compression: true },
];

/** Gives the names of transports as a list for a reader. */
export function namesOf(transports: readonly Transport[]): string {
  return transports.map(({ name }) => name).join(", ");
}

/** Picks by a list such as `deno_tcp,bun_tcp`; without a list, all of them. */
export function parseTransports(
  list: string | undefined,
  among: readonly Transport[],
): readonly Transport[] {
  return list === undefined ? among : list.split(",").map((name) => {
    const transport = among.find((candidate) => candidate.name === name.trim());
    if (!transport) {
      throw new Error(`there is no transport "${name}" to test: choose from ${namesOf(among)}`);
    }
    return transport;
  });
}
