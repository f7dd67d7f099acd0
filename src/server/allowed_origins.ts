import { invalid } from "../base/option_values.ts";

/** The form of an origin (RFC 6454 §6.1): a scheme and a host, perhaps with a port, and nothing more. */
const ORIGIN = /^[a-z][a-z\d+.-]*:\/\/[^/?#@\\\s]+$/i;
const WILDCARD = "://*.";
/** Origins without a host, as they come: of files, and of pages that hide theirs (RFC 6454 §6.1). */
const BARE: readonly unknown[] = ["file://", "null"];
const TAKES =
  'an array of origins, such as "https://example.com" or, for all its subdomains, "https://*.example.com", "file://" or "null"';

/**
 * The pages that may open a WebSocket, told by what browsers say in `Origin`. A browser sends its
 * user's cookies along whatever page asks, so without such a list any page on the web acts as that
 * user (RFC 6455 §10.2).
 */
export class AllowedOrigins {
  readonly #exact = new Set<string>();
  // A wildcard's scheme, and the domain and port that must follow a subdomain.
  readonly #wildcards: (readonly [scheme: string, domain: string])[] = [];

  /**
   * Reads what `allowedOrigins` takes.
   *
   * @param origins The option's value.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for anything but an array of origins.
   */
  constructor(origins: readonly string[]) {
    if (!Array.isArray(origins)) throw invalid("allowedOrigins", origins, TAKES);
    for (const origin of origins) {
      if (BARE.includes(origin)) {
        this.#exact.add(origin);
        continue;
      }
      const wild = typeof origin === "string" && origin.includes(WILDCARD);
      const read = wild ? canonical(origin.replace(WILDCARD, "://")) : canonical(origin);
      if (read === undefined || read.includes("*")) throw invalid("allowedOrigins", origin, TAKES);
      if (wild) {
        const host = read.indexOf("://") + 3;
        this.#wildcards.push([read.slice(0, host), `.${read.slice(host)}`]);
      } else {
        this.#exact.add(read);
      }
    }
  }

  /**
   * Tells whether a page may open a WebSocket.
   *
   * @param origin `Origin` as it came; null where there was none, as from programs that are no
   * browsers and carry nobody's cookies but their own.
   * @returns Whether it may; the opaque origin "null" only where it is named.
   */
  allow(origin: string | null): boolean {
    if (origin === null) return true;
    const read = BARE.includes(origin) ? origin : canonical(origin);
    if (read === undefined) return false;
    return this.#exact.has(read) ||
      this.#wildcards.some(([scheme, domain]) =>
        read.startsWith(scheme) && read.endsWith(domain) &&
        read.length > scheme.length + domain.length
      );
  }
}

/** An origin in the one form that browsers write; undefined for what is none. */
function canonical(origin: unknown): string | undefined {
  if (typeof origin !== "string" || !ORIGIN.test(origin) || !URL.canParse(origin)) return undefined;
  const url = new URL(origin);
  // Schemes such as those of browser extensions have no origin in the eyes of `URL`.
  return url.origin === "null" ? `${url.protocol}//${url.host}` : url.origin;
}
