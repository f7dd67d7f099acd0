/**
 * Makes the package that `npm install` takes: JavaScript with declarations, in `npm/package/`, and its tarball
 * beside it. Nothing is published.
 *
 *     npm run pack
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The part of `jsr.json` that the package has in common with that of JSR. */
interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string>>;
}

/**
 * Makes the package.
 *
 * @param folder Where; what is there is taken away before.
 * @returns The path of the tarball, beside the folder.
 */
export function pack(folder: string): string {
  const { name, version, license, exports }: Manifest = JSON.parse(
    readFileSync(join(root, "jsr.json"), "utf8"),
  );
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  compile(Object.values(exports), folder);
  for (const file of ["README.md", "CHANGELOG.md", "LICENSE"]) {
    copyFileSync(join(root, file), join(folder, file));
  }
  cpSync(join(root, "docs"), join(folder, "docs"), { recursive: true });
  const manifest = {
    name,
    version,
    license,
    description: "The WebSocket server for Deno, Bun and Node, and its client",
    keywords: ["websocket", "server", "client", "rfc6455", "permessage-deflate"],
    type: "module",
    engines: { node: ">=22" },
    exports: Object.fromEntries(
      Object.entries(exports).map(([entry, file]) => [entry, {
        types: file.replace(/\.ts$/, ".d.ts"),
        default: file.replace(/\.ts$/, ".js"),
      }]),
    ),
    sideEffects: Object.values(exports).map((file) => file.replace(/\.ts$/, ".js")),
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest, null, 2) + "\n");
  const destination = join(folder, "..");
  const told = execFileSync("npm", ["pack", "--json", "--pack-destination", destination], {
    cwd: folder,
    encoding: "utf8",
  });
  const [{ filename }] = Object.values(JSON.parse(told) as Record<string, { filename: string }>);
  return join(destination, filename);
}

/** Compiles the entry points with all that they import. */
function compile(entries: string[], folder: string): void {
  execFileSync(join(root, "node_modules/.bin/tsc"), [
    ...entries,
    "--rootDir",
    root,
    "--outDir",
    folder,
    "--declaration",
    "--rewriteRelativeImportExtensions",
    "--erasableSyntaxOnly",
    "--strict",
    "--skipLibCheck",
    "--module",
    "nodenext",
    "--target",
    "es2022",
    "--lib",
    "esnext",
    "--types",
    "bun",
  ], { cwd: root, stdio: "inherit" });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(pack(fileURLToPath(new URL("package", import.meta.url))));
}
