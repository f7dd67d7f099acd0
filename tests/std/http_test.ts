import { describe, it } from "node:test";
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { eTag, ifNoneMatch } from "@std/http/etag";
import { STATUS_TEXT } from "@std/http/status";

describe("@std/http, or what stands in for it", () => {
  it("tags a text by what is in it", async () => {
    assertMatch(await eTag("one"), /^(W\/)?"[^"]+"$/);
    assertEquals(await eTag("one"), await eTag("one"));
    assertNotEquals(await eTag("one"), await eTag("two"));
  });

  it("knows which tags a client has", async () => {
    const tag = await eTag("one");
    assertEquals(ifNoneMatch(null, tag), true);
    assertEquals(ifNoneMatch('"other"', tag), true);
    assertEquals(ifNoneMatch(tag, tag), false);
    assertEquals(ifNoneMatch(`"other", W/${tag.replace("W/", "")}`, tag), false);
    assertEquals(ifNoneMatch("*", tag), false);
  });

  it("names the status codes", () => {
    assertEquals(STATUS_TEXT[404], "Not Found");
    assertEquals(STATUS_TEXT[426], "Upgrade Required");
  });
});
