import { rmSync } from "node:fs";
import process from "node:process";

/** Where one run of the test command keeps its files: a folder of its own, so that several can run at once. */
export const OUTPUT: string = `tests/.output/${process.pid}`;

/** Takes the folder away again. */
export function removeOutput(): void {
  rmSync(OUTPUT, { recursive: true, force: true });
}
