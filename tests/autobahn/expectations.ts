import type { Result } from "./report.ts";

/** By case, the most that a transport may fall short of OK. */
export type Expectation = Readonly<Record<string, Result>>;

// Invalid UTF-8 fails the connection, as it must, but not at the first bad byte: Deno looks at whole
// frames, Bun at whole messages.
const lateUtf8: Result = { behavior: "NON-STRICT", behaviorClose: "OK" };

// After a Close frame of 126 bytes, one too many, Deno leaves it to the client to end the TCP
// connection.
const leftOpen: Result = { behavior: "OK", behaviorClose: "FAILED BY CLIENT" };

// Bun declines an offer with server_max_window_bits=9, as RFC 7692 section 7.1.2.1 lets it.
const offerDeclined: Result = { behavior: "UNIMPLEMENTED", behaviorClose: "OK" };

const subCases = (group: string, count: number, result: Result): Expectation =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`${group}.${n + 1}`, result]));

/**
 * Where a runtime's own engine falls short, measured with a bare echo server on Deno 2.9.5 and
 * Bun 1.4.5. The tcp transports are not in here: with our own engine nothing is excused.
 */
export const EXPECTATIONS: Readonly<Record<string, Expectation>> = {
  deno_http: { "6.4.3": lateUtf8, "6.4.4": lateUtf8, "7.3.6": leftOpen },
  bun_http: {
    ...subCases("6.4", 4, lateUtf8),
    ...subCases("13.3", 18, offerDeclined),
    ...subCases("13.5", 18, offerDeclined),
  },
};
