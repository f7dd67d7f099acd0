/**
 * Runs all tests in the source package of PyPI's `centrifuge-python`, unchanged but for the address:
 * `npm run centrifuge`. Those that talk to a server do so with `suite_server.ts` on every transport; the
 * others, which bring a server of their own or need none, run once. The package and what it needs are
 * installed into tests/centrifuge/venv/ on first use.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { run } from "../tools/command.ts";
import { ServerProcess } from "../support/server_process.ts";

const HERE = fileURLToPath(new URL("./", import.meta.url));
const FOLDER = join(HERE, "venv");
const REQUIREMENTS = join(HERE, "requirements.txt");
const INSTALLED = join(FOLDER, "installed.txt");
const SOURCE = "centrifuge-python==0.7.0";
const TESTS = join(FOLDER, "centrifuge_python-0.7.0");
const ADDRESS = "localhost:8000";
const SECONDS = 240;
/** The modules that talk to a server; the others are about the client alone. */
const SERVED = ["tests.test_client", "tests.test_ready", "tests.test_background_tasks"];
/** Processes that share the others. */
const SHARES = 3;

function python(...args: string[]): void {
  const { status, stderr, error } = spawnSync("python3", args, { cwd: HERE, encoding: "utf8" });
  if (error !== undefined) {
    throw new Error("There is no python3 here: install Python 3.10 or later");
  }
  if (status !== 0) throw new Error(`python3 ${args.join(" ")} failed:\n${stderr.trim()}`);
}

/** Installs what the tests are and need, unless that was done. */
function install(): void {
  const wanted = `${SOURCE}\n${readFileSync(REQUIREMENTS, "utf8")}`;
  if (existsSync(INSTALLED) && readFileSync(INSTALLED, "utf8") === wanted) return;
  rmSync(FOLDER, { recursive: true, force: true });
  const packages = join(FOLDER, "packages");
  python("-m", "pip", "install", "--no-deps", "--target", packages, "-r", REQUIREMENTS);
  python("-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "-d", FOLDER, SOURCE);
  const archive = readdirSync(FOLDER).find((it) => it.endsWith(".tar.gz"))!;
  python("-m", "tarfile", "-e", join(FOLDER, archive), FOLDER);
  // Written last: an installation that was cut off lacks it and is made anew.
  writeFileSync(INSTALLED, wanted);
}

/** Copies the tests, with the server's address in the place of theirs. */
function prepare(host: string, name: string): string {
  const copy = join(FOLDER, name);
  rmSync(copy, { recursive: true, force: true });
  cpSync(TESTS, copy, { recursive: true });
  for (const name of readdirSync(join(copy, "tests"))) {
    if (!name.endsWith(".py")) continue;
    const file = join(copy, "tests", name);
    writeFileSync(file, readFileSync(file, "utf8").replaceAll(ADDRESS, host));
  }
  return copy;
}

/** Runs modules of tests; gives how many passed and failed. */
async function test(name: string, folder: string, modules: string[]): Promise<[number, number]> {
  const { output } = await run(["python3", "-m", "unittest", ...modules], {
    env: { PYTHONPATH: [folder, join(FOLDER, "packages")].join(delimiter) },
    timeout: SECONDS,
  });
  const [, count] = /^Ran (\d+) tests? in/m.exec(output) ?? [];
  const [, failures = ""] = /^FAILED \((.*)\)$/m.exec(output) ?? [];
  const ended = /^OK/m.test(output) || failures !== "";
  if (count === undefined || !ended) {
    console.log(`${name}: the tests did not come to their end\n${output.slice(-4000)}`);
    return [0, 1];
  }
  const failed = [...failures.matchAll(/(?:failures|errors)=(\d+)/g)]
    .reduce((sum, [, it]) => sum + Number(it), 0);
  if (failed > 0) console.log(output.replace(/^(?!.*(FAIL|ERROR|Error|assert)).*\n/gm, ""));
  console.log(`${name}: ${count} tests, ${failed} failed`);
  return [Number(count) - failed, failed];
}

/** Runs the tests that talk to a server against one transport. */
async function testServed(
  runtime: "deno" | "bun",
  transport: "http" | "tcp",
): Promise<[number, number]> {
  const name = `${runtime}_${transport}`;
  const script = "tests/centrifuge/suite_server.ts";
  await using server = await ServerProcess.start({ runtime, transport, script });
  const counts = await test(name, prepare(new URL(server.url).host, name), SERVED);
  if (server.output !== "") console.log(`${name}: the server printed\n${server.output}`);
  return counts;
}

/** The tests about the client alone, dealt out to processes: most of their time they wait. */
function clientAlone(): Promise<[number, number]>[] {
  const shares: string[][] = Array.from({ length: SHARES }, () => []);
  readdirSync(join(TESTS, "tests"))
    .filter((it) => /^test_.*\.py$/.test(it))
    .map((it) => `tests.${it.slice(0, -".py".length)}`)
    .filter((it) => !SERVED.includes(it))
    .forEach((it, at) => shares[at % SHARES].push(it));
  return shares.map((it, at) => test(`the client alone, ${at + 1} of ${SHARES}`, TESTS, it));
}

try {
  install();
  const counts = await Promise.all([
    testServed("deno", "http"),
    testServed("deno", "tcp"),
    testServed("bun", "http"),
    testServed("bun", "tcp"),
    ...clientAlone(),
  ]);
  const [passed, failed] = [0, 1].map((at) => counts.reduce((sum, it) => sum + it[at], 0));
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
