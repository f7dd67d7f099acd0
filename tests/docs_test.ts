import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { findFiles } from "./tools/suite.ts";

const DOCS = ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...findFiles("docs", ".md")];
/** A test's path; docs/SECURITY.md gives those in tests/ from there. */
const TEST = /[\w./]+_test\.ts/g;

function read(file: string): string {
  return readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
}

function exists(path: string): boolean {
  return ["../", ""].some((base) => existsSync(new URL(base + path, import.meta.url)));
}

describe("the documentation", () => {
  it("names tests that there are", () => {
    const named = DOCS.flatMap((file) => [...read(file).matchAll(TEST)].map(([path]) => path));
    assert(named.length > 50, `only ${named.length} were found`);
    assertEquals([...new Set(named)].filter((path) => !exists(path)), []);
  });

  it("names commands of npm that there are", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const named = DOCS.flatMap((file) =>
      [...read(file).matchAll(/npm run ([\w-]+)/g)].map(([, name]) => name)
    );
    assert(named.includes("soak") && named.includes("crowd"));
    assertEquals(named.filter((name) => scripts[name] === undefined), []);
  });

  it("tells in docs/SECURITY.md of every limit, with a test", () => {
    const numbers = read("src/numbers.ts");
    const limits = [...numbers.matchAll(/^ {2}(max\w+|\w+Timeout|highWaterMark|silenceMax):/gm)];
    assert(limits.length >= 14, `${limits.length} limits were found`);
    const security = read("docs/SECURITY.md");
    for (const [, name] of limits) {
      const row = new RegExp(`^\\| \`${name}\`.*_test\\.ts`, "m");
      assert(row.test(security), `${name} is not in the table of limits`);
    }
  });
});
