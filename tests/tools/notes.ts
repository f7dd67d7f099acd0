/**
 * What a test process has to tell the runner that no report of either runtime carries.
 *
 * @module
 */

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import process from "node:process";

/** One line of the notes file. */
export type Note =
  /** A test that is skipped, and why; `begun` when it skipped itself while running. */
  | { kind: "skip"; name: string; reason: string; begun: boolean }
  /** An error that no test caught. */
  | { kind: "stray"; message: string };

/** The environment variable that names the notes file. */
export const NOTES_VARIABLE = "DUET_TEST_NOTES";

/** Adds a note; in the test process. */
export function addNote(note: Note): void {
  const file = process.env[NOTES_VARIABLE];
  if (file === undefined) {
    throw new Error(
      `No notes can be kept: ${NOTES_VARIABLE} is not set; run the tests by npm test`,
    );
  }
  appendFileSync(file, JSON.stringify(note) + "\n");
}

/** Reads the notes; in the runner. */
export function readNotes(file: string): Note[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Note);
}
