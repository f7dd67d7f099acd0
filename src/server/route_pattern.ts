import { messageOf, WebSocketError } from "../base/errors.ts";
import { show } from "../base/option_values.ts";
import { HttpError } from "../protocol/mod.ts";
import type { AnyRouteParams } from "./route_params.ts";

/** How closely one segment of a path is told: least is closest. */
const LITERAL = 0;
const PARTLY = 1;
const NAMED = 2;
const OPEN = 3;

/** The path of a route, as `URLPattern` understands it. */
export class RoutePattern {
  readonly path: string;
  readonly #pattern: URLPattern;
  readonly #ranks: readonly number[];

  /**
   * Reads a pattern.
   *
   * @param path The pattern.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for one that is none; ERR_UNSUPPORTED where the runtime has no
   * `URLPattern`.
   */
  constructor(path: string) {
    if (typeof path !== "string" || !/^(?:\/|\{\/)/.test(path)) {
      throw cannotRoute(path, 'a route is a path, such as "/chat/:room"');
    }
    if (typeof URLPattern !== "function") {
      throw new WebSocketError(
        "ERR_UNSUPPORTED",
        "Cannot route by paths: this runtime has no URLPattern. Use a newer one, or decide in the handshake event.",
      );
    }
    try {
      this.#pattern = new URLPattern({ pathname: path });
    } catch (error) {
      throw cannotRoute(path, messageOf(error), error);
    }
    this.path = path;
    this.#ranks = ranksOf(path);
  }

  /**
   * Compares two patterns that may fit the same path.
   *
   * @param other The other one.
   * @returns Below 0 where this one tells the path more closely.
   */
  compare(other: RoutePattern): number {
    const ours = this.#ranks;
    const theirs = other.#ranks;
    const common = Math.min(ours.length, theirs.length);
    for (let i = 0; i < common; i++) {
      if (ours[i] !== theirs[i]) return ours[i] - theirs[i];
    }
    // Behind an open end every further segment tells more; behind any other it may only be left out.
    const longerFirst = ours[common - 1] === OPEN;
    return longerFirst ? theirs.length - ours.length : ours.length - theirs.length;
  }

  /**
   * Looks whether a URL has this path.
   *
   * @param url The URL.
   * @returns The parameters, percent-decoded; null where it has another path.
   * @throws {HttpError} 400 when a parameter cannot be decoded.
   */
  match(url: string): AnyRouteParams | null {
    const groups = this.#pattern.exec(url)?.pathname.groups;
    if (groups === undefined) return null;
    const params: Record<string, string | undefined> = {};
    for (const [name, value] of Object.entries(groups)) params[name] = decode(value);
    return params;
  }
}

function decode(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  try {
    return decodeURIComponent(value);
  } catch {
    throw new HttpError(
      400,
      "Cannot decode the path of this request: its percent-encoding is no UTF-8",
    );
  }
}

/** Expressions in parentheses, which may have parentheses one level deep. */
const EXPRESSION = /\((?:\\[^]|\([^()]*\)|[^()\\])*\)/g;

function ranksOf(path: string): number[] {
  return path.replace(/\\[^]/g, "x").replace(EXPRESSION, "()").split("/").map(rankOf);
}

function rankOf(segment: string): number {
  if (/[*+?{}]/.test(segment)) return OPEN;
  if (/[(]|.:/.test(segment)) return PARTLY;
  return segment.includes(":") ? NAMED : LITERAL;
}

function cannotRoute(path: unknown, why: string, cause?: unknown): WebSocketError {
  return new WebSocketError("ERR_INVALID_ARGUMENT", `Cannot route ${show(path)}: ${why}`, cause);
}
