/** What a connection is made of; what `onAccept` is given. */
export interface ConnectionInit<Server = unknown> {
  /** The server that accepted it. */
  readonly server: Server;
  /** What the runtime calls it: a socket, or on its HTTP server the request. */
  readonly socket: unknown;
  /** The subprotocols that the server speaks. */
  readonly subprotocol: readonly string[];
}

/** What {@linkcode WebSocketConnection.doPong} takes; a method, so that subclasses fit their base. */
export interface PingAnswers<C> {
  /**
   * Answers a ping.
   *
   * @param connection The connection.
   * @param payload The ping's payload.
   */
  doPong(connection: C, payload: Uint8Array): unknown;
}
