import { invalid } from "../base/option_values.ts";

/** The last draft of each version that is served; versions 7 and 8 have the frames of RFC 6455. */
const DRAFTS: Readonly<Record<string, number>> = {
  "draft-ietf-hybi-07": 7,
  "draft-ietf-hybi-10": 8,
  "draft-ietf-hybi-17": 13,
};

/**
 * A version of the WebSocket protocol (RFC 6455 §4.4): 13, or 8 or 7, drafts with the same frames.
 * It stringifies to its number and compares as it.
 *
 * @example
 * ```ts
 * import { WebSocketVersion } from "@duet/websocket";
 *
 * const version = new WebSocketVersion("draft-ietf-hybi-17");
 * console.assert(String(version) === "13");
 * console.assert(+version === 13 && version > new WebSocketVersion(8));
 * ```
 */
export class WebSocketVersion {
  /** The number in `Sec-WebSocket-Version`. */
  readonly number: number;

  /**
   * Reads a version.
   *
   * @param version A number, a numeral, the name of a draft, or another version.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for a version other than 13, 8 and 7.
   */
  constructor(version: number | string | WebSocketVersion) {
    const number = numberOf(version);
    if (!WebSocketVersion.exists(number)) {
      const shown = typeof version === "number" ? String(version) : version;
      throw invalid("version", shown, "13, 8 or 7");
    }
    this.number = number;
  }

  /**
   * Tells whether a number is a version that can be served.
   *
   * @param number The number.
   * @returns Whether it is 13, 8 or 7.
   */
  static exists(number: number): boolean {
    return number === 13 || number === 8 || number === 7;
  }

  /** The name of the draft, "draft-ietf-hybi-17" for version 13. */
  get draft(): string {
    return Object.keys(DRAFTS).find((name) => DRAFTS[name] === this.number)!;
  }

  /** The number as text. */
  toString(): string {
    return String(this.number);
  }

  /** The number. */
  valueOf(): number {
    return this.number;
  }
}

/** NaN for what names no version. */
function numberOf(version: unknown): number {
  if (version instanceof WebSocketVersion) return version.number;
  if (typeof version !== "string") return version as number;
  if (Object.hasOwn(DRAFTS, version)) return DRAFTS[version];
  return /^\d{1,3}$/.test(version) ? Number(version) : NaN;
}
