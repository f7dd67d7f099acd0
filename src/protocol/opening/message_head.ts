/** The beginnings of the field lines that were asked for. Their number is bounded, as any name may be asked for. */
const starts = new Map<string, string>();
const MAX_STARTS = 64;

function startOf(name: string): string {
  let start = starts.get(name);
  if (start === undefined) {
    start = `\r\n${name}:`;
    if (starts.size < MAX_STARTS) starts.set(name, start);
  }
  return start;
}

/** What the heads of requests and responses have in common (RFC 9112 §2.1): a version and header fields. */
export class MessageHead {
  /** 0 for HTTP/1.0, 1 for HTTP/1.1. */
  readonly minorVersion: number;
  // A connection keeps its request, and one text takes the least memory.
  readonly #fields: string;
  // Kept while fields are looked up one after the other; null once that is over.
  #lowerCase: string | null | undefined;

  /**
   * Makes a head of parts that have been checked already.
   *
   * @param minorVersion 0 or 1.
   * @param fields The header fields, each as a line break, a name, a colon and a value.
   */
  constructor(minorVersion: number, fields: string) {
    this.minorVersion = minorVersion;
    this.#fields = fields;
  }

  /**
   * Gives the value of a header field. Several values are joined with ", " (RFC 9110 §5.3), those of
   * `Cookie`, which is no list, with "; " (RFC 9113 §8.2.3).
   *
   * @param name The field name in lower case.
   * @returns The value, or null when the field did not come.
   */
  get(name: string): string | null {
    const start = startOf(name);
    const names = this.#lowerCase ?? this.#inLowerCase();
    let at = names.indexOf(start);
    if (at === -1) return null;
    let value = this.#value(at + start.length);
    while ((at = names.indexOf(start, at + 1)) !== -1) {
      value += `${name === "cookie" ? ";" : ","} ${this.#value(at + start.length)}`;
    }
    return value;
  }

  /**
   * Iterates over the header fields in the order in which they came.
   *
   * @returns The name in lower case and the value of each.
   */
  *[Symbol.iterator](): Generator<[name: string, value: string]> {
    for (let at = 0; at !== -1 && at < this.#fields.length; at = this.#fields.indexOf("\r\n", at)) {
      at += 2;
      const colon = this.#fields.indexOf(":", at);
      yield [this.#fields.slice(at, colon).toLowerCase(), this.#value(colon + 1)];
    }
  }

  /** Keeps no longer what makes looking up fields fast. They can still be looked up. */
  compact(): void {
    this.#lowerCase = null;
  }

  #inLowerCase(): string {
    const names = this.#fields.toLowerCase();
    if (this.#lowerCase !== null) this.#lowerCase = names;
    return names;
  }

  /** The value that begins at an index, without the blanks around it (RFC 9110 §5.5). */
  #value(start: number): string {
    const fields = this.#fields;
    const line = fields.indexOf("\r\n", start);
    let end = line === -1 ? fields.length : line;
    while (start < end && isBlank(fields.charCodeAt(start))) start++;
    while (end > start && isBlank(fields.charCodeAt(end - 1))) end--;
    return fields.slice(start, end);
  }
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
