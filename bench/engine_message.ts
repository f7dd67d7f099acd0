// What servers publish in the suites of engines: known to them and to the load process, which compares it.

/** The topic of these suites. */
export const TOPIC = "bench";

/** How many different messages go round. */
const COUNT = 32;
const BYTES = 128;

/** All of them, 128 characters of ASCII each. */
export const messages: readonly string[] = Array.from(
  { length: COUNT },
  (_, i) => `${i}`.padStart(4, "0").padEnd(BYTES, "the quick brown fox jumps over the lazy dog "),
);
