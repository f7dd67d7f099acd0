import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { readSettings } from "../src/server/settings.ts";
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

  it("links to files and headings that there are", () => {
    const broken = DOCS.flatMap((file) =>
      [...read(file).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)]
        .filter(([, path, heading]) => {
          const target = path === "" ? file : join(dirname(file), path);
          if (!existsSync(new URL(`../${target}`, import.meta.url))) return true;
          return heading !== undefined && !slugs(read(target)).includes(heading);
        })
        .map(([link]) => `${file}: ${link}`)
    );
    assertEquals(broken, []);
  });

  it("has a README of under 200 lines", () => {
    assert(read("README.md").split("\n").length <= 200);
  });

  it("calls short, in the README, examples of under 40 lines", () => {
    const [, list] = /under 40 lines([^]*?)\n\n/.exec(read("README.md")) ?? [];
    const named = [...list.matchAll(/\((examples\/\w+\.ts)\)/g)].map(([, path]) => path);
    assert(named.length >= 5, `only ${named.length} were found`);
    assertEquals(named.filter((path) => read(path).trimEnd().split("\n").length >= 40), []);
  });

  it("names commands of npm that there are", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const named = DOCS.flatMap((file) =>
      [...read(file).matchAll(/npm run ([\w-]+)/g)].map(([, name]) => name)
    );
    assert(named.includes("soak") && named.includes("crowd"));
    assertEquals(named.filter((name) => scripts[name] === undefined), []);
  });

  it("has every file of src/ in a table of docs/ARCHITECTURE.md, once", () => {
    assertEquals(architectureFiles(), findFiles("src", ".ts").sort());
  });

  it("names in docs/ARCHITECTURE.md files that there are", () => {
    const files = [
      "mod.ts",
      ...["src", "tests", "bun", "client"].flatMap((it) => findFiles(it, ".ts")),
    ];
    const named = [...read("docs/ARCHITECTURE.md").matchAll(/`([\w./]+\.ts)`/g)].map(([, it]) =>
      it
    );
    assert(named.length > 100, `only ${named.length} were found`);
    const missing = named.filter((it) => !files.some((file) => `/${file}`.endsWith(`/${it}`)));
    assertEquals([...new Set(missing)], []);
  });

  it("tells in docs/SECURITY.md of every limit, with a test", () => {
    const table = read("src/server/option_table.ts");
    const limits = [...table.matchAll(/^ {2}(max\w+|\w+Timeout|highWaterMark|silenceMax):/gm)]
      .map(([, name]) => name);
    assert(limits.length >= 14, `${limits.length} limits were found`);
    const rows = limitRows();
    assertEquals(limits.filter((name) => !rows.get(name)?.test.includes("_test.ts")), []);
  });

  it("tells in docs/SECURITY.md the defaults as they are", () => {
    const settings = readSettings({}) as unknown as Record<string, number>;
    const rows = limitRows();
    assert(rows.size >= 14, `${rows.size} limits were found`);
    for (const [name, { preset }] of rows) assertEquals(settings[name], amount(preset), name);
  });
});

/** What links to the headings of a page end with. */
function slugs(page: string): string[] {
  return [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-")
  );
}

/** The files in the tables of docs/ARCHITECTURE.md, each below the folder that its heading names. */
function architectureFiles(): string[] {
  const [, ...rooms] = read("docs/ARCHITECTURE.md").split(/^### (?=`src\/)/m);
  const files = rooms.flatMap((room) => {
    const [, folder] = /^`([\w/]+)`/.exec(room)!;
    const [section] = room.split(/^##/m);
    const cells = [...section.matchAll(/^\|((?: `\w+\.ts`,?)+) +\|/gm)].map(([, cell]) => cell);
    return cells.flatMap((cell) => [...cell.matchAll(/`(\w+\.ts)`/g)].map(([, it]) => folder + it));
  });
  return files.sort();
}

/** The rows of the table of limits whose names are those of options. */
function limitRows(): Map<string, { preset: string; test: string }> {
  const rows = read("docs/SECURITY.md").matchAll(/^\| `(\w+)`[^|]*\|([^|]+)\|[^|]+\|([^|]+)\|$/gm);
  return new Map(
    [...rows].map(([, name, preset, test]) => [name, { preset: preset.trim(), test }]),
  );
}

function amount(text: string): number {
  if (text === "none") return Number.MAX_SAFE_INTEGER;
  const [number, unit = ""] = text.split(" ");
  const factor = { "": 1, "s": 1, "KiB": 1024, "MiB": 1024 * 1024 }[unit];
  return Number(number.replaceAll(",", "")) * factor!;
}
