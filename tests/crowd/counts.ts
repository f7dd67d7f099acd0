/** What the server of a crowd has counted. */
export interface Counts {
  /** Calls of `onConnect`. */
  connects: number;
  /** Events `ready`. */
  ready: number;
  /** Events `disconnect`. */
  disconnects: number;
  /** Those of them with code 1000. */
  clean: number;
  /** Those of them that were not the connection's first. */
  twice: number;
  /** The connections that are open now. */
  open: number;
  /** The plain HTTP requests. */
  requests: number;
  /** The first few errors. */
  errors: string[];
}

/** Asks the server for its counts. */
export async function readCounts(url: string): Promise<Counts> {
  return await ask(url, "/") as Counts;
}

/** Has the server broadcast a message; gives to how many it was sent. */
export async function broadcast(url: string, index: number): Promise<number> {
  return await ask(url, `/broadcast/${index}`) as number;
}

async function ask(url: string, path: string): Promise<unknown> {
  const { host } = new URL(url);
  const response = await fetch(`http://${host}${path}`, { headers: { connection: "close" } });
  if (!response.ok) throw new Error(`${path} was answered with ${response.status}`);
  return await response.json();
}
