/**
 * A live view of a server's open connections: what it gives changes as clients come and go.
 *
 * @example
 * ```ts
 * import { WebSocketServer } from "@duet/websocket";
 *
 * const server = new WebSocketServer();
 * for (const connection of server.connections) console.log(connection.ip);
 * ```
 */
export class ConnectionList<C> implements Iterable<C> {
  readonly #connections: ReadonlySet<C>;

  /**
   * Makes a view.
   *
   * @param connections What is looked at.
   */
  constructor(connections: ReadonlySet<C>) {
    this.#connections = connections;
  }

  /** How many there are. */
  get size(): number {
    return this.#connections.size;
  }

  /** Goes through the connections; those that come meanwhile are included. */
  [Symbol.iterator](): IterableIterator<C> {
    return this.#connections.values();
  }

  /**
   * Calls a function with each connection.
   *
   * @param act The function.
   */
  forEach(act: (connection: C) => void): void {
    for (const connection of this.#connections) act(connection);
  }

  /**
   * Makes an array with something for each connection.
   *
   * @param make Makes it.
   * @returns The array.
   */
  map<T>(make: (connection: C) => T): T[] {
    return Array.from(this.#connections, make);
  }

  /**
   * Makes an array of some of the connections.
   *
   * @param keep Tells which.
   * @returns The array.
   */
  filter(keep: (connection: C) => boolean): C[] {
    return [...this.#connections].filter(keep);
  }

  /**
   * Looks for a connection.
   *
   * @param matches Tells which.
   * @returns The first that matches, else undefined.
   */
  find(matches: (connection: C) => boolean): C | undefined {
    for (const connection of this.#connections) if (matches(connection)) return connection;
    return undefined;
  }
}

/**
 * Makes what `connections` gives with `legacy`.
 *
 * @param connections The open connections.
 * @returns An array of them with a `size`, so that it serves as a list.
 */
export function legacyList<C>(connections: ReadonlySet<C>): ConnectionList<C> {
  const array = [...connections];
  Object.defineProperty(array, "size", { value: array.length });
  return array as unknown as ConnectionList<C>;
}
