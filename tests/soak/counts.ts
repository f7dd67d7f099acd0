/** What the soaked server has counted. */
export interface Counts {
  /** Calls of `onConnect`. */
  connects: number;
  /** Events `disconnect`. */
  disconnects: number;
  /** Those of them that were not the connection's first. */
  twice: number;
  /** The connections that are open now. */
  open: number;
  /** The messages received, each of which was sent back. */
  messages: number;
  /** The first few errors that were not a peer's doing. */
  errors: string[];
}

/** Asks the soaked server for its counts. */
export async function readCounts(url: string): Promise<Counts> {
  const response = await fetch(url.replace(/^ws/, "http"), { headers: { connection: "close" } });
  return await response.json() as Counts;
}
