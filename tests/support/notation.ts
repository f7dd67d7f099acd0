/**
 * Reads bytes as the tests write them: pairs of hex digits, `61*3` for the same byte three times,
 * and text between quotes, such as `81 85 00000000 "Hello"`.
 */
export function bytes(notation: string): Uint8Array {
  const result: number[] = [];
  for (const [word] of notation.matchAll(/"[^"]*"|\S+/g)) {
    if (word.startsWith('"')) {
      for (const byte of new TextEncoder().encode(word.slice(1, -1))) result.push(byte);
      continue;
    }
    const match = /^((?:[0-9a-f]{2})+)(?:\*(\d+))?$/.exec(word);
    if (match === null) throw new SyntaxError(`Cannot read ${word} as bytes: write hex or "text"`);
    for (let times = Number(match[2] ?? 1); times > 0; times--) {
      for (let i = 0; i < match[1].length; i += 2) {
        result.push(parseInt(match[1].slice(i, i + 2), 16));
      }
    }
  }
  return Uint8Array.from(result);
}

/** Writes bytes as hex, shortened where there are many. */
export function hex(data: Uint8Array): string {
  const shown = Array.from(data.subarray(0, 16), (it) => it.toString(16).padStart(2, "0"));
  return shown.join(" ") + (data.length > 16 ? ` ... (${data.length})` : "");
}
