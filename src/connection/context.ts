import type { AnyServerOf } from "./any_server.ts";

/** Where a connection belongs to; `C` is what every connection is. */
export interface ConnectionContext<C> {
  /**
   * The server, as far as all servers are alike. A subclass of connections that has one server only may say
   * so: `declare readonly server: WebSocketServer<Player>`. A connection that `connect()` has made has none
   * here: there it is undefined.
   */
  readonly server: AnyServerOf<C>;
}

/** What is known of a connection's place. */
export interface ContextSession {
  readonly server: unknown;
}

/**
 * Makes the members of {@linkcode ConnectionContext}.
 *
 * @param prototype Where they go.
 * @param sessionOf Gives a connection's session.
 */
export function defineContext<C extends object>(
  prototype: C,
  sessionOf: (connection: C) => ContextSession,
): void {
  Object.defineProperty(prototype, "server", {
    configurable: true,
    get(this: C) {
      return sessionOf(this).server;
    },
  });
}
