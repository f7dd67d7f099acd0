/**
 * Compiles only if what the transports believe of Deno's API is so. `deno check` sees it; tsc, which has
 * no types of Deno, does not.
 *
 * @module
 */
import type { DenoApi, DenoConn, DenoListener } from "../../src/transport/deno_api.ts";

/** Compiles only where `Real` is a `Believed`. */
type Fits<Believed, Real extends Believed> = [Believed, Real];

/** All that the transports call. */
export type Beliefs = [
  Fits<DenoApi["listen"], typeof Deno.listen>,
  Fits<DenoApi["listenTls"], typeof Deno.listenTls>,
  Fits<DenoApi["serve"], typeof Deno.serve>,
  Fits<DenoApi["upgradeWebSocket"], typeof Deno.upgradeWebSocket>,
  Fits<DenoApi, typeof Deno>,
  Fits<DenoListener, Deno.Listener>,
  Fits<DenoListener, Deno.TlsListener>,
  Fits<DenoConn, Deno.Conn>,
  Fits<DenoConn, Deno.TcpConn>,
  Fits<DenoConn, Deno.TlsConn>,
];
