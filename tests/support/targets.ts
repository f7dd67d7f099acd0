/** One of the four transports, as a server in a process of its own is started. */
export interface Target {
  /** Such as "deno_tcp". */
  readonly name: string;
  readonly runtime: "deno" | "bun";
  readonly transport: "http" | "tcp";
  /** Whether it has permessage-deflate. */
  readonly compresses: boolean;
  /**
   * Whether its engine keeps the socket of a peer for ever that is gone before it has its answer: then
   * a long run with such peers comes to the end of its file descriptors, whatever we do.
   */
  readonly keepsSockets: boolean;
}

/** The four transports. */
export const targets: readonly Target[] = (["deno", "bun"] as const).flatMap((runtime) =>
  (["http", "tcp"] as const).map((transport) => {
    const name = `${runtime}_${transport}`;
    const ofDeno = name === "deno_http";
    return { name, runtime, transport, compresses: !ofDeno, keepsSockets: ofDeno };
  })
);

/**
 * Finds transports by their names.
 *
 * @param names Separated with commas; undefined for all four.
 */
export function targetsNamed(names: string | undefined): Target[] {
  if (names === undefined) return [...targets];
  return names.split(",").map((name) => {
    const target = targets.find((it) => it.name === name);
    if (target !== undefined) return target;
    const known = targets.map((it) => it.name).join(", ");
    throw new Error(`There is no transport ${JSON.stringify(name)}. The transports are: ${known}`);
  });
}
