import { BlockList, isIP } from "node:net";
import { invalid } from "../base/option_values.ts";
import {
  type ForwardedElement,
  type ForwardedNode,
  isHostField,
  parseForwardedElements,
  parseForwardedFor,
  unmapped,
} from "../protocol/mod.ts";
import type { ClientAddress } from "../transport/transport.ts";

const TAKES =
  'an array of IP addresses, CIDR ranges and "unix", such as "10.0.0.0/8", "192.0.2.1" or "fd00::/8"';

/** The proxies in front of this server that are believed when they say whom they speak for. */
export class TrustedProxies {
  readonly #list = new BlockList();
  // Whether clients of Unix sockets are proxies: who may connect to one, the permissions of its path say.
  readonly #unix: boolean;

  /**
   * Reads what `trustProxy` takes.
   *
   * @param proxies The option's value.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for anything but an array of addresses, ranges and "unix".
   */
  constructor(proxies: readonly string[]) {
    if (!Array.isArray(proxies)) throw invalid("trustProxy", proxies, TAKES);
    this.#unix = proxies.includes("unix");
    for (const proxy of proxies) {
      if (proxy !== "unix" && !this.#add(proxy)) throw invalid("trustProxy", proxy, TAKES);
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
   * @param peer The peer.
   * @returns Whether it is believed.
   */
  trusts(peer: ClientAddress): boolean {
    return peer.unix === true ? this.#unix : this.has(peer.ip);
  }

  /**
   * Tells whether an address is that of a proxy.
   *
   * @param ip The address.
   * @returns Whether it is named.
   */
  has(ip: string): boolean {
    const plain = unmapped(ip);
    const version = isIP(plain);
    return version !== 0 && this.#list.check(plain, family(version));
  }

  /**
   * Finds out who asks, and for what: behind a proxy the last address of those it tells that is no proxy's
   * itself, since what stands before that may be anyone's invention; with it the scheme and the host that the
   * client has asked for. A proxy writes `Forwarded` or the `X-Forwarded-` fields and may pass on a client's own
   * invention of the others, so where both are there and differ, neither is believed.
   *
   * @param fields Gives a request's header fields by their names in lower case.
   * @param peer The peer that the request came from.
   * @returns The client: the peer where that is no proxy or tells nothing of use.
   */
  clientOf(fields: { get(name: string): string | null }, peer: ClientAddress): ClientAddress {
    if (!this.trusts(peer)) return peer;
    const forwarded = fields.get("forwarded");
    const ways: Told[] = [];
    if (forwarded !== null) ways.push(this.#element(parseForwardedElements(forwarded)));
    const [ofFor, ofProto, ofHost] = X_FORWARDED.map((name) => fields.get(name));
    if (ofFor !== null || ofProto !== null || ofHost !== null) {
      const nodes = ofFor === null ? [] : parseForwardedFor(ofFor);
      const at = this.#client(nodes);
      ways.push({
        node: nodes[at],
        secure: isSecure(valueAt(ofProto, at, nodes.length)),
        host: hostOf(valueAt(ofHost, at, nodes.length)),
      });
    }
    const [first, second = first] = ways;
    if (first === undefined) return peer;
    const bothTellClient = forwarded !== null && ofFor !== null;
    if (bothTellClient && first.node?.ip !== second.node?.ip) return peer;
    const { ip, port } = first.node ?? second.node ?? peer;
    const secure = forwarded === null || ofProto === null
      ? first.secure ?? second.secure
      : agreed(first.secure, second.secure);
    const host = forwarded === null || ofHost === null
      ? first.host ?? second.host
      : agreed(first.host, second.host);
    return { ip, port, secure, host };
  }

  /** What the proxy says that the client has asked. */
  #element(elements: readonly ForwardedElement[] = []): Told {
    const { node, proto, host } = elements[this.#client(elements.map((it) => it.node))] ?? {};
    return { node, secure: isSecure(proto), host: hostOf(host) };
  }

  /** Which of the addresses is the client's. When all are proxies, the first is where the request began. */
  #client(nodes: readonly (ForwardedNode | undefined)[]): number {
    return Math.max(0, nodes.findLastIndex((it) => it === undefined || !this.has(it.ip)));
  }
}

/** What is told in one of the two ways. */
interface Told {
  readonly node: ForwardedNode | undefined;
  readonly secure: boolean | undefined;
  readonly host: string | undefined;
}

const X_FORWARDED = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"] as const;
/** The longest name of a host (RFC 1035 §2.3.4), and a port. */
const LONGEST_HOST = 253 + ":65535".length;

/**
 * The value that belongs to an address: at the same place, where each proxy adds one; otherwise the last, which
 * the nearest proxy has written.
 */
function valueAt(field: string | null, at: number, addresses: number): string | undefined {
  const values = field?.split(",") ?? [];
  return (values.length === addresses ? values[at] : values.at(-1))?.trim();
}

function isSecure(proto: string | undefined): boolean | undefined {
  const scheme = proto?.toLowerCase();
  if (scheme === "https" || scheme === "wss") return true;
  return scheme === "http" || scheme === "ws" ? false : undefined;
}

function hostOf(host: string | undefined): string | undefined {
  if (host === undefined || host === "" || host.length > LONGEST_HOST) return undefined;
  return isHostField(host) && URL.canParse(`http://${host}`) ? host : undefined;
}

function agreed<T>(one: T, other: T): T | undefined {
  return one === other ? one : undefined;
}

function family(version: number): "ipv4" | "ipv6" {
  return version === 4 ? "ipv4" : "ipv6";
}
