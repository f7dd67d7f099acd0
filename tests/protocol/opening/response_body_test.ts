import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ResponseBody, ResponseHead } from "../../../src/protocol/mod.ts";
import { anyCuts, cutAnywhere, everySplit } from "../../support/splits.ts";

const encoder = new TextEncoder();

/** What is collected, and whether more is wanted. */
function collect(fields: string, pieces: readonly Uint8Array[], most = 64, status = 404) {
  const body = new ResponseBody(new ResponseHead(status, 1, fields), most);
  for (const piece of pieces) body.push(piece.slice());
  return { text: new TextDecoder().decode(body.bytes), done: body.done };
}

const cases: [rule: string, fields: string, body: string, text: string, done: boolean][] = [
  ["Content-Length", "\r\nContent-Length: 4", "Gone and more", "Gone", true],
  ["a Content-Length of which not all has come", "\r\nContent-Length: 9", "Gone", "Gone", false],
  ["a Content-Length that is none", "\r\nContent-Length: x", "Gone", "", true],
  ["the end of the connection", "", "Gone", "Gone", false],
  ["chunks", "\r\nTransfer-Encoding: chunked", "2\r\nGo\r\n2;x=y\r\nne\r\n0\r\n\r\n", "Gone", true],
  [
    "chunks that are not at their end",
    "\r\nTransfer-Encoding: chunked",
    "2\r\nGo\r\n",
    "Go",
    false,
  ],
  [
    "a chunk's size that is none",
    "\r\nTransfer-Encoding: chunked",
    "2\r\nGo\r\nx\r\nne",
    "Go",
    true,
  ],
  [
    "a chunk's size of too many digits",
    "\r\nTransfer-Encoding: chunked",
    "fffffffff\r\nGo",
    "",
    true,
  ],
  [
    "an endless line of a chunk",
    "\r\nTransfer-Encoding: chunked",
    "1;" + "a".repeat(300),
    "",
    true,
  ],
];

describe("ResponseBody (RFC 9112 §6.3)", () => {
  for (const [rule, fields, body, text, done] of cases) {
    it(`collects a body by ${rule}, however it is split`, () => {
      for (const pieces of everySplit(encoder.encode(body))) {
        assertEquals(collect(fields, pieces), { text, done });
      }
    });
  }

  it("collects no more than is wanted", () => {
    const long = encoder.encode("a".repeat(1000));
    assertEquals(collect("", [long, long]), { text: "a".repeat(64), done: true });
    const chunk = encoder.encode(`3e8\r\n${"a".repeat(1000)}\r\n`);
    const chunked = "\r\nTransfer-Encoding: chunked";
    assertEquals(collect(chunked, [chunk, chunk]), { text: "a".repeat(64), done: true });
  });

  it("expects no body of 204 and 304", () => {
    assertEquals(collect("\r\nContent-Length: 4", [], 64, 204).done, true);
    assertEquals(collect("\r\nContent-Length: 4", [], 64, 304).done, true);
  });

  it("makes the same of any chunked body, however it is split", () => {
    const piece = fc.oneof(
      fc.constantFrom("1\r\na\r\n", "2\r\nbc\r\n", "0\r\n\r\n", "\r\n", "1", "a", ";"),
      fc.string({ maxLength: 5 }),
    );
    const bodies = fc.array(piece, { minLength: 1, maxLength: 12 })
      .map((it) => encoder.encode(it.join(""))).filter((it) => it.length > 0);
    const chunked = "\r\nTransfer-Encoding: chunked";
    fc.assert(
      fc.property(bodies, anyCuts, (whole, cuts) => {
        assertEquals(collect(chunked, cutAnywhere(whole, cuts), 8), collect(chunked, [whole], 8));
      }),
      { numRuns: 1000 },
    );
  });
});
