import { describe, it } from "node:test";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";

/** The message of what `check` throws; every assertion here must throw. */
function refusal(check: () => void): string {
  try {
    check();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("The assertion passed");
}

async function lateRefusal(check: () => Promise<unknown>): Promise<string> {
  try {
    await check();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("The assertion passed");
}

const boom = () => {
  throw new TypeError("it went boom");
};

describe("@std/assert, or what stands in for it", () => {
  it("passes what holds", async () => {
    assert(1);
    assertEquals({ a: [1, new Uint8Array([2])] }, { a: [1, new Uint8Array([2])] });
    assertNotEquals({ a: 1 }, { a: 2 });
    assertStrictEquals(NaN, NaN);
    assertMatch("abc", /b/);
    assertStringIncludes("abc", "b");
    assertInstanceOf(new TypeError(), Error);
    assertInstanceOf(assertThrows(boom), TypeError);
    assertEquals(assertThrows(boom, TypeError, "boom").message, "it went boom");
    const rejected = await assertRejects(() => Promise.reject(new TypeError("no")), TypeError, "n");
    assertEquals(rejected.message, "no");
  });

  it("refuses what does not", async () => {
    refusal(() => assert(0));
    refusal(() => fail());
    refusal(() => assertEquals<unknown>({ a: 1 }, { a: "1" }));
    refusal(() => assertEquals<unknown>(new Uint8Array([1]), [1]));
    refusal(() => assertNotEquals({ a: 1 }, { a: 1 }));
    refusal(() => assertStrictEquals({}, {}));
    refusal(() => assertMatch("abc", /d/));
    refusal(() => assertStringIncludes("abc", "d"));
    refusal(() => assertInstanceOf(new Error(), TypeError));
    refusal(() => assertThrows(() => {}));
    refusal(() => assertThrows(boom, RangeError));
    refusal(() => assertThrows(boom, TypeError, "bang"));
    await lateRefusal(() => assertRejects(() => Promise.resolve(1)));
    await lateRefusal(() => assertRejects(() => Promise.reject(new Error("no")), TypeError));
    await lateRefusal(() => assertRejects(boom, TypeError));
  });

  it("puts the caller's message into the refusal", () => {
    assertStringIncludes(refusal(() => assertEquals(1, 2, "the sum")), "the sum");
    assertStringIncludes(refusal(() => assertThrows(() => {}, "the call")), "the call");
    assertStringIncludes(refusal(() => fail("the end")), "the end");
  });
});
