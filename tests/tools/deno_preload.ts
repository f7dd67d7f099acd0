/**
 * Loaded before every test file under Deno. There `node:test` silences errors that no test caught:
 * without this a file that throws while it loads passes.
 *
 * @module
 */

import { addNote } from "./notes.ts";

for (const type of ["error", "unhandledrejection"]) {
  globalThis.addEventListener(type, (event) => {
    const { error, reason } = event as Event & { error?: unknown; reason?: unknown };
    const cause = error ?? reason;
    const message = cause instanceof Error ? cause.stack ?? String(cause) : String(cause);
    addNote({ kind: "stray", message });
  });
}
