/** How far a connection has come; the order counts. */
export const State = {
  OPEN: 0,
  /** This side has sent its Close frame and waits for the peer's. */
  CLOSING: 1,
  /** Nothing more is sent: the socket is about to go, once it has taken what waits. */
  ENDING: 2,
  /** The socket is gone. */
  CLOSED: 3,
} as const;
/** One of the values of {@linkcode State}. */
export type State = (typeof State)[keyof typeof State];
