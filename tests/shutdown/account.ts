/** What a server has sent to one client before it was shut down, and how that client's connection ended. */
export interface Account {
  /** What the client calls itself. */
  readonly name: string;
  /** Of its messages so many were echoed. */
  echoes: number;
  /** So many broadcasts went to it, each with its number, from this one on. */
  broadcasts: number;
  firstBroadcast?: number;
  /** So many large messages. */
  pieces: number;
  /** The bytes that waited to be written when the shutdown began. */
  waiting: number;
  /** The codes of its events `disconnect`. */
  codes: number[];
}
