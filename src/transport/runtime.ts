/** The runtimes that have transports, Node only where there is neither of the others. */
export type Runtime = "deno" | "bun" | "node";

/**
 * Tells what this runs on.
 *
 * @returns The runtime; undefined where it is none of the three.
 */
export function currentRuntime(): Runtime | undefined {
  // Bun imitates a little of Deno and both imitate Node, so Bun is asked for first.
  if ("Bun" in globalThis) return "bun";
  if ("Deno" in globalThis) return "deno";
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return process?.versions?.node === undefined ? undefined : "node";
}
