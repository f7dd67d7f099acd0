/**
 * Binds `@std/assert` and `@std/http`: to JSR's where JSR answers, else to the stand-ins of
 * `tests/std/`.
 *
 * @module
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { run } from "./command.ts";
import { OUTPUT } from "./output.ts";

/** The environment variables with the flags that a test hands on to a program that it starts. */
export const FLAG_VARIABLES = {
  deno: "DUET_STD_DENO_FLAG",
  bun: "DUET_STD_BUN_FLAG",
  node: "DUET_STD_NODE_FLAG",
};

/** How the runtimes are told where the names lead. */
export interface Binding {
  /** What is bound to what, for people. */
  summary: string;
  /** Deno's option: an import map. */
  denoFlag: string;
  /** Bun's option: a tsconfig.json with `paths`. */
  bunFlag: string;
  /** Node's option: a module that has names resolved otherwise. */
  nodeFlag: string;
}

const PROBE_SECONDS = 20;
const BUNDLE_SECONDS = 120;
const FOLDER = `${OUTPUT}/std`;
const IMPORT_MAP = `${FOLDER}/import_map.json`;
const BUN_TSCONFIG = `${FOLDER}/tsconfig.json`;
const NODE_NAMES = `${FOLDER}/names.mjs`;

/** What the tests and the examples import from JSR. */
const MODULES = [
  { package: "@std/assert", path: "", standIn: "tests/std/assert.ts" },
  { package: "@std/http", path: "/etag", standIn: "tests/std/http_etag.ts" },
  { package: "@std/http", path: "/status", standIn: "tests/std/http_status.ts" },
];

/** Asks JSR, writes what both runtimes need in a folder of this run, and says what is used. */
export async function bindStd(): Promise<Binding> {
  mkdirSync(FOLDER, { recursive: true });
  const packages = [...new Set(MODULES.map((module) => module.package))];
  const found = await Promise.all(packages.map(versionOnJsr));
  const versions = new Map(packages.map((name, index) => [name, found[index]]));
  if (found.includes(undefined)) {
    const summary =
      "JSR is out of reach: @std/assert and @std/http are the stand-ins of tests/std/";
    return bind(summary, standIns(), standIns());
  }

  const real: Targets = {};
  const bundles: Targets = {};
  let obstacle: string | undefined;
  for (const { package: name, path } of MODULES) {
    const specifier = `jsr:${name}@${versions.get(name)}${path}`;
    const bundle = `${FOLDER}/${`${name}${path}`.replaceAll("/", "_")}.js`;
    real[name + path] = specifier;
    bundles[name + path] = bundle;
    obstacle ??= await bundleForBun(specifier, bundle);
  }
  const used = packages.map((name) => `${name} ${versions.get(name)}`).join(" and ");
  return obstacle === undefined
    ? bind(`JSR answers: Deno uses ${used}; Bun and Node use the same, bundled`, real, bundles)
    : bind(
      `JSR answers: Deno uses ${used}; Bun and Node use the stand-ins of tests/std/, ` +
        `since those could not be bundled (${obstacle})`,
      real,
      standIns(),
    );
}

/** Where each module name leads: a file of the project, or a specifier. */
type Targets = Record<string, string>;

function standIns(): Targets {
  return Object.fromEntries(
    MODULES.map(({ package: name, path, standIn }) => [name + path, standIn]),
  );
}

/** The newest version 1 of a package on JSR; undefined where it cannot be had. */
async function versionOnJsr(name: string): Promise<string | undefined> {
  const specifier = `jsr:${name}@^1`;
  const { code, stdout } = await run([process.execPath, "info", "--json", specifier], {
    timeout: PROBE_SECONDS,
  });
  if (code !== 0) return undefined;
  return stdout.match(new RegExp(`"${name}@[^"]*": "${name}@([^"]+)"`))?.[1];
}

/** Bundles a JSR module into one file that Bun can load; returns why it could not. */
async function bundleForBun(specifier: string, file: string): Promise<string | undefined> {
  const { code, output } = await run([
    process.execPath,
    "bundle",
    "--quiet",
    "--platform=browser",
    `--output=${file}`,
    specifier,
  ], { timeout: BUNDLE_SECONDS });
  return code === 0 ? undefined : output.trim().split("\n")[0] || `exit code ${code}`;
}

function bind(summary: string, forDeno: Targets, forBun: Targets): Binding {
  write(IMPORT_MAP, {
    imports: {
      ...mapValues(forDeno, fromOutput),
      // Examples in the documentation name the package as its users do.
      "@duet/websocket": fromOutput("mod.ts"),
      "jsr:@duet/websocket": fromOutput("mod.ts"),
      "@duet/websocket/protocol": fromOutput("src/protocol/mod.ts"),
      "@duet/websocket/bun": fromOutput("bun/mod.ts"),
      "@duet/websocket/client": fromOutput("client/mod.ts"),
      "@duet/websocket/redis": fromOutput("src/redis/mod.ts"),
      "@duet/websocket/centrifuge": fromOutput("src/centrifuge/mod.ts"),
      "@duet/websocket/nats": fromOutput("src/nats/mod.ts"),
      "@duet/websocket/testing": fromOutput("src/testing/mod.ts"),
      "node:test": fromOutput("tests/tools/noting.ts"),
    },
    scopes: { [fromOutput("tests/tools/")]: { "node:test": "node:test" } },
  });
  const paths = mapValues(forBun, (target) => [fromOutput(target)]);
  write(BUN_TSCONFIG, { compilerOptions: { paths } });
  const names = {
    ...mapValues(forBun, fileUrl),
    "node:test": fileUrl("tests/tools/noting.ts"),
  };
  writeFileSync(
    NODE_NAMES,
    `import { bindNames } from ${JSON.stringify(fileUrl("tests/tools/node_hooks.ts"))};\n` +
      `bindNames(${JSON.stringify(names)}, ${JSON.stringify(fileUrl("tests/tools/"))});\n`,
  );
  return {
    summary,
    nodeFlag: `--import=${fileUrl(NODE_NAMES)}`,
    denoFlag: `--import-map=${resolve(IMPORT_MAP)}`,
    bunFlag: `--tsconfig-override=${resolve(BUN_TSCONFIG)}`,
  };
}

function mapValues<T>(targets: Targets, change: (target: string) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(targets).map(([name, to]) => [name, change(to)]));
}

/** A path as the generated files must give it; a specifier stays as it is. */
function fromOutput(path: string): string {
  if (path.startsWith("jsr:")) return path;
  const found = relative(FOLDER, path) + (path.endsWith("/") ? "/" : "");
  return found.startsWith(".") ? found : `./${found}`;
}

function fileUrl(path: string): string {
  return pathToFileURL(path).href;
}

function write(file: string, content: unknown): void {
  writeFileSync(file, JSON.stringify(content, null, 2) + "\n");
}
