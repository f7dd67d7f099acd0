// How a client is told to open connections: over a TCP connection, a line of JSON for each request.

import { createServer } from "node:net";
import { createInterface } from "node:readline";

/** What the load process asks for. */
interface Request {
  port: number;
  connections: number;
  deflate: boolean;
}

/** Handshakes under way at once: less than the load process's listen backlog. */
const OPENING = 64;

/**
 * Waits for requests.
 *
 * @param open Opens one connection that sends back every message; settles when it is open.
 */
export function obey(open: (url: string, deflate: boolean) => Promise<unknown>): void {
  const server = createServer((socket) => {
    createInterface({ input: socket }).on("line", async (line) => {
      const { port, connections, deflate }: Request = JSON.parse(line);
      let left = connections;
      const some = async () => {
        while (left-- > 0) await open(`ws://127.0.0.1:${port}/`, deflate);
      };
      try {
        await Promise.all(Array.from({ length: OPENING }, some));
      } catch (error) {
        console.error(`could not open a connection: ${error}`);
        socket.destroy();
      }
    });
  });
  server.listen(0, "127.0.0.1", () => {
    // What the driver looks for.
    console.log(`listening on ws://127.0.0.1:${(server.address() as { port: number }).port}`);
  });
}
