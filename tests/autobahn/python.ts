import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Thrown when no usable Python 2.7 is on this machine; the message says how to get one. */
export class NoPython extends Error {}

const PROBE = "import sys; print('%d.%d %s' % (sys.version_info[0], sys.version_info[1], " +
  "sys.executable))";

function* candidates(): Generator<string> {
  yield "python2.7";
  yield "python2";
  // pyenv's own "python2.7" refuses to run unless that version is selected, so look behind it.
  const versions = join(process.env.PYENV_ROOT ?? join(homedir(), ".pyenv"), "versions");
  if (!existsSync(versions)) return;
  for (const version of readdirSync(versions)) {
    if (/^2\.7(\.|$)/.test(version)) yield join(versions, version, "bin", "python2.7");
  }
}

/** The path of a Python 2.7 that has pip. The suite was never ported to Python 3. */
export function findPython(): string {
  let withoutPip: string | undefined;
  for (const command of candidates()) {
    const probe = spawnSync(command, ["-c", PROBE], { encoding: "utf8" });
    const found = probe.status === 0 && /^2\.7 (.+)$/.exec(probe.stdout.trim());
    if (!found) continue;
    if (spawnSync(found[1], ["-m", "pip", "--version"]).status === 0) return found[1];
    withoutPip = found[1];
  }
  throw new NoPython(
    withoutPip
      ? `${withoutPip} has no pip, with which the Autobahn suite is installed: run ` +
        `"${withoutPip} -m ensurepip"`
      : "there is no Python 2.7, the only version on which the Autobahn suite runs: install one, " +
        'for example with "pyenv install 2.7.18" (it need not be the selected version)',
  );
}
