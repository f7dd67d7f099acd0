const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Whether a character opens (1) or closes (-1) an object or an array. */
function step(code: number): number {
  if (code === 0x7b || code === 0x5b) return 1;
  return code === 0x7d || code === 0x5d ? -1 : 0;
}

/**
 * Goes through the members of an object, whose values stay the text that they are: a number keeps its digits,
 * an object its white space. Nothing here is recursive, so depth costs nothing.
 *
 * @param text An object in valid JSON, without white space at its ends.
 * @returns The members, with their values as text.
 */
export function* members(text: string): Generator<[name: string, raw: string], void> {
  let at = 1;
  for (;;) {
    const nameAt = text.indexOf('"', at);
    if (nameAt === -1) return;
    const nameEnd = stringEnd(text, nameAt);
    const valueAt = colonAfter(text, nameEnd) + 1;
    const valueEnd = endOfValue(text, valueAt);
    const name: string = JSON.parse(text.slice(nameAt, nameEnd));
    yield [name, text.slice(valueAt, valueEnd).trim()];
    at = valueEnd + 1;
  }
}

function colonAfter(text: string, at: number): number {
  while (text.charCodeAt(at) !== COLON) at++;
  return at;
}

/** Where a value ends: at the comma behind it, or at the end of what it is in. */
function endOfValue(text: string, at: number): number {
  let depth = 0;
  for (;; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = stringEnd(text, at) - 1;
      continue;
    }
    if (code === COMMA && depth === 0) return at;
    depth += step(code);
    if (depth < 0) return at;
  }
}

/** Where a string ends: behind the first quote that no odd number of backslashes stands before. */
function stringEnd(text: string, at: number): number {
  for (let quote = at + 1;; quote++) {
    quote = text.indexOf('"', quote);
    let slash = quote - 1;
    while (text.charCodeAt(slash) === BACKSLASH) slash--;
    if ((quote - slash) % 2 === 1) return quote + 1;
  }
}
