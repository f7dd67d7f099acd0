import { createConnection, createServer, type Server, type Socket } from "node:net";

/** One connection through a proxy. */
interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** What the client has sent so far, as far as it tells what the connection is for. */
  sent: string;
}

/** Which way bytes go. */
export type Direction = "requests" | "replies";

/** Stands between a client and a server on this machine, and loses what it is told to. */
export class TcpProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs: Set<Pair>;
  #to: number;
  #losing: { direction: Direction; of: RegExp } | null = null;

  private constructor(server: Server, pairs: Set<Pair>, port: number, to: number) {
    this.#server = server;
    this.#pairs = pairs;
    this.port = port;
    this.#to = to;
  }

  /** Starts one in front of a port. */
  static async start(to: number): Promise<TcpProxy> {
    const pairs = new Set<Pair>();
    const server = createServer((client) => {
      const pair: Pair = { client, server: createConnection(proxy.#to, "127.0.0.1"), sent: "" };
      pairs.add(pair);
      client.on("data", (bytes) => {
        if (pair.sent.length < 100_000) pair.sent += bytes.toString("latin1");
        if (!proxy.#loses("requests", pair)) pair.server.write(bytes);
      });
      pair.server.on("data", (bytes) => {
        if (!proxy.#loses("replies", pair)) client.write(bytes);
      });
      const end = () => {
        pairs.delete(pair);
        client.destroy();
        pair.server.destroy();
      };
      for (const socket of [client, pair.server]) socket.on("error", end).on("close", end);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const proxy = new TcpProxy(server, pairs, port, to);
    return proxy;
  }

  /** Loses what goes one way on the connections on which something was sent, until {@linkcode cut}. */
  lose(direction: Direction, of: RegExp): void {
    this.#losing = { direction, of };
  }

  /** Ends the connections on which something was lost; new ones lose nothing. */
  cut(): void {
    const losing = this.#losing!;
    this.#losing = null;
    for (const pair of [...this.#pairs]) {
      if (losing.of.test(pair.sent)) pair.client.destroy();
    }
  }

  /** Leads to another server from now on; the connections to the one before end. */
  turn(to: number): void {
    this.#to = to;
    for (const { client } of [...this.#pairs]) client.destroy();
  }

  async close(): Promise<void> {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #loses(direction: Direction, { sent }: Pair): boolean {
    return this.#losing?.direction === direction && this.#losing.of.test(sent);
  }
}
