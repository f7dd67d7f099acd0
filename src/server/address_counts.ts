import { isIP } from "node:net";
import { unmapped } from "../protocol/mod.ts";

/**
 * How many connections come from each address. IPv6 addresses count by their first 64 bits, since any
 * one customer of a provider has all that begin so.
 */
export class AddressCounts {
  readonly #counts = new Map<string, number>();
  readonly #networks = new Map<object, string>();

  /**
   * Counts a connection under an address, and under that one only.
   *
   * @param connection The connection.
   * @param ip Its client's address; anything else, such as the path of a Unix socket, is not counted.
   * @returns How many there are from there now.
   */
  add(connection: object, ip: string): number {
    this.remove(connection);
    const network = networkOf(ip);
    if (network === undefined) return 0;
    const count = (this.#counts.get(network) ?? 0) + 1;
    this.#counts.set(network, count);
    this.#networks.set(connection, network);
    return count;
  }

  /**
   * Counts a connection no more.
   *
   * @param connection The connection; one that is not counted is passed over.
   */
  remove(connection: object): void {
    const network = this.#networks.get(connection);
    if (network === undefined) return;
    this.#networks.delete(connection);
    const count = this.#counts.get(network)! - 1;
    if (count > 0) this.#counts.set(network, count);
    else this.#counts.delete(network);
  }

  /**
   * Counts a connection in the place of another holder.
   *
   * @param from What was counted so far; where it is not counted, nothing happens.
   * @param to The connection that is counted from now on.
   */
  move(from: object, to: object): void {
    const network = this.#networks.get(from);
    if (network === undefined) return;
    this.#networks.delete(from);
    this.#networks.set(to, network);
  }

  /**
   * Tells how many connections there are.
   *
   * @param ip The address that they come from.
   * @returns How many are counted.
   */
  from(ip: string): number {
    return this.#counts.get(networkOf(ip) ?? "") ?? 0;
  }
}

function networkOf(ip: string): string | undefined {
  const address = unmapped(ip);
  const version = isIP(address);
  if (version !== 6) return version === 4 ? address : undefined;
  // `URL` writes every address in one way: lower case, no leading zeros, the longest gap as "::".
  const { hostname } = new URL(`http://[${address.replace(/%.*/, "")}]`);
  const [before, after] = hostname.slice(1, -1).split("::");
  const head = before.split(":");
  const tail = after?.split(":") ?? [];
  const gap = new Array<string>(8 - head.length - tail.length).fill("0");
  return [...head, ...gap, ...tail].slice(0, 4).join(":");
}
