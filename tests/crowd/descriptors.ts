import { readFileSync } from "node:fs";
import process from "node:process";

/** What a process opens beside its connections. */
const BESIDE = 100;

/**
 * Tells what to do where a process may not open a file descriptor for each of so many connections;
 * undefined where it may, and where the system does not tell.
 *
 * @param who What to call the process.
 * @param pid Its number, or "self".
 */
export function tooFewDescriptors(
  who: string,
  pid: number | "self",
  connections: number,
): string | undefined {
  if (process.platform !== "linux") return undefined;
  const limits = readFileSync(`/proc/${pid}/limits`, "utf8");
  const limit = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  const needed = connections + BESIDE;
  if (limit === undefined || Number(limit) >= needed) return undefined;
  return `the ${who} may open ${limit} files, and ${connections} connections need ${needed}: ` +
    `raise the limit with "ulimit -n ${needed}", or take fewer with --connections`;
}
