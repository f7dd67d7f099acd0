import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { findPython } from "./python.ts";

const HERE = fileURLToPath(new URL("./", import.meta.url));
const PACKAGES = join(HERE, "venv");
const REQUIREMENTS = join(HERE, "requirements.txt");
const INSTALLED = join(PACKAGES, "installed.txt");

// The longest time limit that the suite gives one of its own cases is 480 s.
const SILENCE_SECONDS = 600;

// The packages are not on Python's path, and nothing else that the machine has may be (-E -s -S).
// addsitedir, and not PYTHONPATH, because it reads the .pth file that makes zope.interface findable.
const isolated = (script: string): string[] => [
  ...["-E", "-s", "-S", "-u"],
  ...["-c", `import site, sys; site.addsitedir(sys.argv.pop(1)); ${script}`, PACKAGES],
];
const RUN = "from autobahntestsuite.wstest import run; run()";
const LIST = "from autobahntestsuite.case import Cases; " +
  "print('\\n'.join('.'.join(c.__name__[4:].split('_')) for c in Cases))";

/** The suite, installed for one Python. */
export interface Suite {
  python: string;
  /** The identifiers of all its cases, in its own order. */
  cases: string[];
}

function install(python: string): void {
  const wanted = `${python}\n${fs.readFileSync(REQUIREMENTS, "utf8")}`;
  if (fs.existsSync(INSTALLED) && fs.readFileSync(INSTALLED, "utf8") === wanted) return;

  console.log(`installing the Autobahn suite into ${PACKAGES}`);
  fs.rmSync(PACKAGES, { recursive: true, force: true });
  fs.mkdirSync(PACKAGES, { recursive: true });
  const pip = spawnSync(
    python,
    ["-m", "pip", "install", "--no-deps", "--target", PACKAGES, "-r", REQUIREMENTS],
    { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
  );
  if (pip.status !== 0) {
    throw new Error(
      "the Autobahn suite could not be installed: pip needs a package index that it can reach, " +
        `and a C compiler for wsaccel. It said:\n${pip.stderr.trim()}`,
    );
  }
  // Written last: an installation that was cut off lacks it and is made anew.
  fs.writeFileSync(INSTALLED, wanted);
}

/** Finds Python 2.7 and installs the suite for it, unless that has been done. */
export function prepareSuite(): Suite {
  const python = findPython();
  install(python);
  const list = spawnSync(python, isolated(LIST), { encoding: "utf8" });
  const cases = list.stdout.trim().split("\n");
  if (list.status !== 0 || cases.length < 500) {
    throw new Error(
      `the Autobahn suite in ${PACKAGES} does not run: delete that folder and try again. ` +
        `It said:\n${list.stderr.trim()}`,
    );
  }
  return { python, cases };
}

/** What one run of the suite is to do. */
export interface Run {
  /** The name of what is tested, in the reports. */
  agent: string;
  url: string;
  cases: string[];
  /** Where the reports and the log go. */
  folder: string;
}

/** The suite at work. */
interface Process {
  /** Settles when it has ended; rejects when it did so in another way than it was told to. */
  ended: Promise<void>;
  stop(): void;
}

function start(suite: Suite, mode: string, folder: string, spec: object): Process {
  const specFile = join(folder, "spec.json");
  fs.writeFileSync(specFile, JSON.stringify(spec, null, 2));
  const logFile = join(folder, "wstest.log");
  const log = fs.createWriteStream(logFile);
  // The web page of its server would have a fixed port, which a second run could not have meanwhile.
  const flags = ["-m", mode, "-s", specFile, "--webport", "0"];
  const child = spawn(suite.python, [...isolated(RUN), ...flags], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stopped = false;
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = new Promise<void>((resolve, reject) => {
    let silent = false;
    const timer = setTimeout(() => {
      silent = true;
      kill();
    }, SILENCE_SECONDS * 1000);
    for (const output of [child.stdout, child.stderr]) {
      output.pipe(log, { end: false });
      output.on("data", () => timer.refresh());
    }
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      process.off("exit", kill);
      log.end();
      if (code === 0 || stopped) resolve();
      else {
        const how = silent
          ? `printed nothing for ${SILENCE_SECONDS} s`
          : `ended with ${signal ?? code}`;
        reject(new Error(`the suite ${how}: see ${logFile}`));
      }
    });
  });
  const stop = () => {
    stopped = true;
    kill();
  };
  return { ended, stop };
}

/**
 * Runs the suite's fuzzing client against a server. Resolving says nothing about the outcome, which
 * is in the reports alone: the client exits 0 even when it could not connect.
 */
export function runSuite(suite: Suite, { agent, url, cases, folder }: Run): Promise<void> {
  return start(suite, "fuzzingclient", folder, {
    outdir: folder,
    servers: [{ agent, url }],
    cases,
  }).ended;
}

/**
 * Runs the suite's fuzzing server for a client.
 *
 * @param test Has the client go through all cases.
 */
export async function runSuiteServer(
  suite: Suite,
  { url, cases, folder }: Omit<Run, "agent">,
  test: () => Promise<void>,
): Promise<void> {
  const server = start(suite, "fuzzingserver", folder, { outdir: folder, url, cases });
  try {
    await Promise.race([server.ended, listening(url)]);
    await Promise.race([server.ended, test()]);
  } finally {
    server.stop();
  }
  await server.ended;
}

/** Waits until somebody listens at a URL. */
async function listening(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  for (;;) {
    const socket = connect(Number(port), hostname);
    const connected = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (connected) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
