import { isIP } from "node:net";

/** Where a proxy says that a request came from. */
export interface ForwardedNode {
  /** The IP address. */
  readonly ip: string;
  /** The port; 0 when it is not known. */
  readonly port: number;
}

/**
 * Reads `X-Forwarded-For`: a list of addresses, to which each proxy adds that of its client.
 *
 * @param field The field's value; repeated fields joined with commas.
 * @returns The addresses in order; undefined for an element that is no address.
 *
 * @example
 * ```ts
 * import { parseForwardedFor } from "@duet/websocket/protocol";
 *
 * console.assert(parseForwardedFor("203.0.113.7, 10.0.0.1")[0]?.ip === "203.0.113.7");
 * ```
 */
export function parseForwardedFor(field: string): (ForwardedNode | undefined)[] {
  return field.split(",").map((it) => readNode(it.trim()));
}

/** What one proxy says in `Forwarded` of the request that it was sent (RFC 7239 §4). */
export interface ForwardedElement {
  /** Where the request came from; undefined where that is not told, or hidden. */
  readonly node: ForwardedNode | undefined;
  /** The scheme, as it stands there. */
  readonly proto: string | undefined;
  /** The `Host` field of the request, as it stands there. */
  readonly host: string | undefined;
}

/** One pair of `Forwarded` with its separator. It can match in one way only, so it takes linear time. */
const PAIR =
  /[\t ]*([!#$%&'*+\-.^_`|~\dA-Za-z]+)=([!#$%&'*+\-.^_`|~\dA-Za-z]+|"(?:[^"\\]|\\[^])*")[\t ]*(;|,|$)/y;

/**
 * Reads `Forwarded` (RFC 7239 §4).
 *
 * @param field The field's value; repeated fields joined with commas.
 * @returns The address in each element's `for`, in order; undefined for an element without one. undefined
 * instead of the list when the field breaks the grammar.
 *
 * @example
 * ```ts
 * import { parseForwarded } from "@duet/websocket/protocol";
 *
 * const [client] = parseForwarded('for="[2001:db8::7]:4711";proto=https, for=10.0.0.1')!;
 * console.assert(client?.ip === "2001:db8::7" && client.port === 4711);
 * ```
 */
export function parseForwarded(field: string): (ForwardedNode | undefined)[] | undefined {
  return parseForwardedElements(field)?.map(({ node }) => node);
}

/**
 * Reads all of `Forwarded` that is known here (RFC 7239 §4).
 *
 * @param field The field's value; repeated fields joined with commas.
 * @returns The elements in order; undefined when the field breaks the grammar.
 *
 * @example
 * ```ts
 * import { parseForwardedElements } from "@duet/websocket/protocol";
 *
 * const [{ proto, host }] = parseForwardedElements('for=192.0.2.1;proto=https;host="a.example"')!;
 * console.assert(proto === "https" && host === "a.example");
 * ```
 */
export function parseForwardedElements(field: string): ForwardedElement[] | undefined {
  const elements: ForwardedElement[] = [];
  const told = new Map<string, string>();
  let pair: RegExpExecArray | null;
  PAIR.lastIndex = 0;
  do {
    pair = PAIR.exec(field);
    if (pair === null) return undefined;
    const [, name, value, end] = pair;
    if (told.has(name.toLowerCase())) return undefined;
    told.set(name.toLowerCase(), unquote(value));
    if (end === ";") continue;
    elements.push({
      node: readNode(told.get("for") ?? ""),
      proto: told.get("proto"),
      host: told.get("host"),
    });
    told.clear();
  } while (pair[3] !== "");
  return elements;
}

function unquote(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\([^])/g, "$1") : value;
}

/** An address with or without a port (RFC 7239 §6); in brackets where IPv6 has a port. */
const NODE = /^(?:\[([\da-fA-F:.]+)\]|([\d.]+))(?::(\d{1,5}))?$/;

/** Names such as "unknown" and "_secret" stand in place of an address. */
function readNode(text: string): ForwardedNode | undefined {
  const [, inBrackets, plain, port = "0"] = NODE.exec(text) ?? [];
  const ip = inBrackets ?? plain ?? text;
  const version = isIP(ip);
  if (version === 0 || ip.includes("%") || (inBrackets !== undefined && version !== 6)) {
    return undefined;
  }
  return Number(port) > 0xffff ? undefined : { ip: unmapped(ip), port: Number(port) };
}

const MAPPED = /^(?:::|(?:0+:){5})ffff:(?=[\d.]+$)/i;

/**
 * Converts an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) to the IPv4 address.
 *
 * @param ip An IP address.
 * @returns The IPv4 address, or what was given.
 *
 * @example
 * ```ts
 * import { unmapped } from "@duet/websocket/protocol";
 *
 * console.assert(unmapped("::ffff:203.0.113.7") === "203.0.113.7");
 * console.assert(unmapped("2001:db8::7") === "2001:db8::7");
 * ```
 */
export function unmapped(ip: string): string {
  return ip.replace(MAPPED, "");
}
