/**
 * Serves clients of the Centrifuge protocol, for which there are libraries in JavaScript, Dart, Swift, Java,
 * Python, Go and C#: they come back by themselves after a lost connection, and get what they have missed.
 *
 * @module
 */
export { Centrifuge } from "./centrifuge.ts";
export { CentrifugeClient } from "./client.ts";
export { CentrifugeError } from "./codes.ts";
export type { Data } from "./data.ts";
export type { Grant } from "./grant.ts";
export type { CentrifugeOptions, ConnectAnswer, ConnectRequest } from "./options.ts";
