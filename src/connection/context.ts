import type { AnyServerOf } from "./any_server.ts";

/** Where a connection belongs to; `C` is what every connection is. */
export interface ConnectionContext<C> {
  /**
   * The server, as far as all servers are alike. A subclass of connections that has one server only may say
   * so: `declare readonly server: WebSocketServer<Player>`. A connection that `connect()` has made has none
   * here: there it is undefined.
   */
  readonly server: AnyServerOf<C>;
  /**
   * The parameters of the route that it came by, percent-decoded: those with a name by their names, those
   * without by their number from "0" on. On a server without routes there are none.
   */
  readonly params: Readonly<Record<string, string | undefined>>;
}

const NO_PARAMS: Readonly<Record<string, string | undefined>> = Object.freeze({});

/** What is known of a connection's place. */
export interface ContextSession {
  readonly server: unknown;
  readonly params: Readonly<Record<string, string | undefined>> | null;
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
  Object.defineProperty(prototype, "params", {
    configurable: true,
    get(this: C) {
      return sessionOf(this).params ?? NO_PARAMS;
    },
  });
}
