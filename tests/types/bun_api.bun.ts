/**
 * Compiles only if what the transports believe of Bun's API is so. tsc, which has Bun's types, sees it;
 * `deno check` does not.
 *
 * @module
 */
import type {
  BunApi,
  BunHttpServer,
  BunListener,
  BunServerWebSocket,
  BunSocket,
} from "../../src/transport/bun_api.ts";

/** Compiles only where `Real` is a `Believed`. */
type Fits<Believed, Real extends Believed> = [Believed, Real];

declare const believed: BunApi;

/** All that the transports call. */
export type Beliefs = [
  Fits<typeof believed.listen, typeof Bun.listen>,
  Fits<typeof believed.serve, typeof Bun.serve<unknown>>,
  Fits<BunListener, Bun.TCPSocketListener<unknown>>,
  Fits<BunListener, Bun.UnixSocketListener<unknown>>,
  Fits<BunSocket<string>, Bun.Socket<string>>,
  Fits<BunServerWebSocket<string>, Bun.ServerWebSocket<string>>,
  Fits<BunHttpServer, Bun.Server<unknown>>,
];
