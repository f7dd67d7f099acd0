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

describe("layers", () => {
  it("are looked at: the files and their imports are found", () => {
    assert(sources.includes("src/server.ts") && sources.includes("src/protocol/mod.ts"));
    assert(imports("src/protocol/receiver.ts").includes("src/protocol/frame.ts"));
    assert(imports("src/protocol/utf8.ts").includes("node:buffer"));
    assert(imports("src/transport/tcp_opening.ts").includes("src/protocol/mod.ts"));
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

  it("protocol imports nothing outside of itself", () => {
    const allowed = (it: string) => isNode(it) || it.startsWith("src/protocol/");
    assertEquals(offending(within("src/protocol/"), allowed), []);
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

  it("transport imports itself, protocol and errors only", () => {
    const allowed = (it: string) =>
      isNode(it) || it === "src/errors.ts" || /^src\/(?:transport|protocol)\//.test(it);
    assertEquals(offending(within("src/transport/"), allowed), []);
  });

  it("everything above takes protocol and transport by their fronts", () => {
    const above = sources.filter((it) => !/^src\/(?:transport|protocol)\//.test(it));
    const allowed = (it: string) => !it.startsWith("src/protocol/") || it === "src/protocol/mod.ts";
    assertEquals(offending(above, allowed), []);
  });

  it("only the transports of a runtime name it", () => {
    for (const file of sources) {
      const name = /\b(?:Deno|Bun)\b/g;
      const own = /^src\/transport\/deno_/.test(file)
        ? "Deno"
        : /^src\/transport\/bun_/.test(file)
        ? "Bun"
        : undefined;
      const named = new Set(code(file).match(name) ?? []);
      if (own !== undefined) named.delete(own);
      assertEquals([...named], [], `${file} names a runtime`);
    }
  });

  it("only the entry points bring the transports of a runtime in", () => {
    const others = sources.filter((it) => !/^src\/transport\/(?:deno|bun)_/.test(it));
    const allowed = (it: string) => !/^src\/transport\/(?:deno|bun)_/.test(it);
    assertEquals(offending(others, allowed), []);
  });

  it("the entry point for Bun brings nothing of Deno's", () => {
    const all = [...closure("bun/mod.ts")];
    assert(all.includes("src/transport/bun_tcp.ts"));
    assertEquals(all.filter((it) => it.includes("/deno_")), []);
  });
});
