import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, normalize } from "node:path/posix";
import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { findFiles } from "./tools/suite.ts";

const root = new URL("..", import.meta.url);
const sources = findFiles(new URL("src", root).pathname, ".ts")
  .map((path) => path.slice(new URL(".", root).pathname.length));

function read(file: string): string {
  return readFileSync(new URL(file, root), "utf8");
}

/** A file's code without comments. Strings go too, unless what is looked for stands in them. */
function code(file: string, keepStrings = false): string {
  return read(file).replace(/\/\*[^]*?\*\//g, "").split("\n").map((line) => {
    const bare = keepStrings ? line : line.replace(/"(?:[^"\\]|\\.)*"|`[^`$]*`/g, '""');
    return bare.replace(/(^|\s)\/\/.*$/, "");
  }).join("\n");
}

const IMPORT = /(?<![.\w])(?:from|import)\s*\(?\s*"([^"]+)"/g;

/** What a file imports: a path from the root of the project, or the name of a module as it is. */
function imports(file: string): string[] {
  return [...code(file, true).matchAll(IMPORT)].map(([, what]) =>
    what.startsWith(".") ? normalize(join(dirname(file), what)) : what
  );
}

/** A file and all that it imports, directly or not. */
function closure(file: string, seen: Set<string> = new Set()): Set<string> {
  if (seen.has(file) || !file.endsWith(".ts")) return seen;
  seen.add(file);
  for (const it of imports(file)) closure(it, seen);
  return seen;
}

/** "file imports what" for each import of these files that is not allowed. */
function offending(files: string[], allowed: (what: string, file: string) => boolean): string[] {
  return files.flatMap((file) =>
    imports(file).filter((it) => !allowed(it, file)).map((it) => `${file} imports ${it}`)
  );
}

const isNode = (what: string) =>
  what.startsWith("node:") && builtinModules.includes(what.slice("node:".length));
const within = (folder: string) => sources.filter((it) => it.startsWith(folder));

/**
 * The floors of the house, from the ground up. A file imports what lies in its own folder or on a lower
 * floor, and nothing from a room beside its own.
 */
const FLOORS: readonly (readonly string[])[] = [
  ["src/base/", "src/protocol/frames/"],
  ["src/protocol/opening/", "src/protocol/deflate/"],
  ["src/protocol/"],
  ["src/transport/", "src/streams/"],
  ["src/transport/tcp/"],
  ["src/transport/http/"],
  ["src/connection/"],
  ["src/topics/", "src/client/"],
  ["src/server/", "src/engines/"],
  ["src/redis/", "src/nats/"],
  ["src/centrifuge/", "src/testing/"],
  ["src/"],
];

/** The room that a file is in: the innermost of the folders above. */
function room(file: string): string {
  const rooms = FLOORS.flat().filter((it) => file.startsWith(it));
  return rooms.reduce((innermost, it) => it.length > innermost.length ? it : innermost, "");
}

function floor(file: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(room(file)));
}

/** The files that a file imports, of ours. */
function ours(file: string): string[] {
  return imports(file).filter((it) => it.startsWith("src/"));
}

/** A circle of imports, each file followed by one that it imports; undefined where there is none. */
function findCircle(): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const it of ours(file)) {
      const circle = visit(it, [...path, file]);
      if (circle !== undefined) return circle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of sources) {
    const circle = visit(file, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

describe("layers", () => {
  it("are looked at: the files and their imports are found", () => {
    assert(sources.includes("src/server/server.ts") && sources.includes("src/protocol/mod.ts"));
    assert(imports("src/protocol/frames/receiver.ts").includes("src/protocol/frames/frame.ts"));
    assert(imports("src/protocol/frames/utf8.ts").includes("node:buffer"));
    assert(imports("src/transport/tcp/tcp_opening.ts").includes("src/protocol/mod.ts"));
    assert(within("src/transport/").length > 5);
  });

  it("import files that are there, by their whole names", () => {
    const missing = offending(
      ["mod.ts", "bun/mod.ts", ...sources],
      (it) => isNode(it) || existsSync(new URL(it, root)),
    );
    assertEquals(missing, []);
  });

  it("need nothing but themselves and node: modules at run time", () => {
    const files = ["mod.ts", "bun/mod.ts", ...sources];
    assertEquals(offending(files, (it) => isNode(it) || it.startsWith("src/")), []);
  });

  it("every file is in a room, and imports nothing from a floor above or a room beside its own", () => {
    for (const file of sources) assert(floor(file) !== -1, file);
    const allowed = (it: string, file: string) =>
      isNode(it) || room(it) === room(file) || floor(it) < floor(file);
    assertEquals(offending(sources, allowed), []);
  });

  it("no file imports itself by way of others, types included", () => {
    assertEquals(findCircle(), undefined);
  });

  it("no file of src/ has over 420 lines", () => {
    const long = sources.map((it) => [it, read(it).split("\n").length - 1] as const)
      .filter(([, lines]) => lines > 420);
    assertEquals(long, []);
  });

  it("protocol has no I/O and no timers", () => {
    const forbidden = /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask|fetch|process)\b/;
    const modules = ["node:buffer", "node:crypto", "node:http", "node:net", "node:zlib"];
    for (const file of within("src/protocol/")) {
      assertEquals(forbidden.exec(code(file))?.[0], undefined, file);
      for (const it of imports(file).filter(isNode)) assert(modules.includes(it), `${file}: ${it}`);
    }
    // Of these two only constants and pure functions are taken.
    const taken = within("src/protocol/").flatMap((file) =>
      [...code(file, true).matchAll(/import \{([^}]*)\} from "node:(?:http|net)"/g)]
        .map(([, names]) => names.trim())
    );
    assertEquals([...new Set(taken)].filter((it) => it !== "STATUS_CODES" && it !== "isIP"), []);
  });

  it("everything above takes the protocol by its front", () => {
    const above = sources.filter((it) => !it.startsWith("src/protocol/"));
    const allowed = (it: string) => !it.startsWith("src/protocol/") || it === "src/protocol/mod.ts";
    assertEquals(offending(above, allowed), []);
  });

  it("only the transports of a runtime name it", () => {
    for (const file of sources) {
      const name = /\b(?:Deno|Bun)\b/g;
      const own = /^src\/transport\/(?:\w+\/)?deno_/.test(file)
        ? "Deno"
        : /^src\/transport\/(?:\w+\/)?bun_/.test(file)
        ? "Bun"
        : undefined;
      const named = new Set(code(file).match(name) ?? []);
      if (own !== undefined) named.delete(own);
      assertEquals([...named], [], `${file} names a runtime`);
    }
  });

  it("only the entry points bring the transports of a runtime in", () => {
    const runtimes = /^src\/transport\/(?:\w+\/)?(?:deno|bun)_/;
    const others = sources.filter((it) => !runtimes.test(it));
    assertEquals(offending(others, (it) => !runtimes.test(it)), []);
  });

  it("the entry point for Bun brings nothing of Deno's", () => {
    const all = [...closure("bun/mod.ts")];
    assert(all.includes("src/transport/tcp/bun_tcp.ts"));
    assertEquals(all.filter((it) => it.includes("/deno_")), []);
  });
});
