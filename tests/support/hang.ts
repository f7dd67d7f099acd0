/**
 * What takes longer, in milliseconds, hangs: far more than it takes on a machine that is busy with much
 * else, and far less than an algorithm takes that is exponential in what a peer sends.
 */
export const HANG_MS = 60_000;
