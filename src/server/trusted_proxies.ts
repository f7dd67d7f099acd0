import { BlockList, isIP } from "node:net";
import { invalid } from "../base/option_values.ts";
import {
  type ForwardedNode,
  parseForwarded,
  parseForwardedFor,
  unmapped,
} from "../protocol/mod.ts";
import type { Address } from "../transport/transport.ts";

const TAKES =
  'an array of IP addresses and CIDR ranges, such as "10.0.0.0/8", "192.0.2.1" or "fd00::/8"';

/** The proxies in front of this server that are believed when they say whom they speak for. */
export class TrustedProxies {
  readonly #list = new BlockList();

  /**
   * Reads what `trustProxy` takes.
   *
   * @param proxies The option's value.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for anything but an array of addresses and ranges.
   */
  constructor(proxies: readonly string[]) {
    if (!Array.isArray(proxies)) throw invalid("trustProxy", proxies, TAKES);
    for (const proxy of proxies) {
      if (!this.#add(proxy)) throw invalid("trustProxy", proxy, TAKES);
    }
  }

  #add(proxy: unknown): boolean {
    const match = typeof proxy === "string" ? /^([^%/]+)(?:\/(\d{1,3}))?$/.exec(proxy) : null;
    if (match === null) return false;
    const ip = unmapped(match[1]);
    const version = isIP(ip);
    const bits = version === 4 ? 32 : 128;
    // The first 96 bits of an IPv4 address that is written as an IPv6 one say only that.
    const prefix = Number(match[2] ?? 128) - (ip === match[1] ? 0 : 96);
    if (version === 0 || prefix < 0 || (match[2] !== undefined && prefix > bits)) return false;
    this.#list.addSubnet(ip, Math.min(prefix, bits), family(version));
    return true;
  }

  /**
   * Tells whether a peer is one of the proxies.
   *
   * @param ip Its address.
   * @returns Whether it is believed.
   */
  has(ip: string): boolean {
    const plain = unmapped(ip);
    const version = isIP(plain);
    return version !== 0 && this.#list.check(plain, family(version));
  }

  /**
   * Finds out who asks: behind a proxy the last address of those it tells that is no proxy's itself,
   * since what stands before that may be anyone's invention.
   *
   * @param fields Gives a request's header fields by their names in lower case.
   * @param peer The peer that the request came from.
   * @returns The client's address: the peer's where that is no proxy or tells nothing of use.
   */
  clientOf(fields: { get(name: string): string | null }, peer: Address): Address {
    if (!this.has(peer.ip)) return peer;
    const forwarded = fields.get("forwarded");
    const forwardedFor = fields.get("x-forwarded-for");
    if (forwarded === null && forwardedFor === null) return peer;
    const clients = [
      forwarded === null ? undefined : this.#last(parseForwarded(forwarded)),
      forwardedFor === null ? undefined : this.#last(parseForwardedFor(forwardedFor)),
    ];
    // A proxy writes one of the two and may pass a client's own invention of the other on.
    if (forwarded !== null && forwardedFor !== null && clients[0]?.ip !== clients[1]?.ip) {
      return peer;
    }
    return clients[0] ?? clients[1] ?? peer;
  }

  #last(nodes: readonly (ForwardedNode | undefined)[] = []): ForwardedNode | undefined {
    const client = nodes.findLastIndex((it) => it === undefined || !this.has(it.ip));
    // When all are proxies, the first is where the request began.
    return nodes[Math.max(0, client)];
  }
}

function family(version: number): "ipv4" | "ipv6" {
  return version === 4 ? "ipv4" : "ipv6";
}
