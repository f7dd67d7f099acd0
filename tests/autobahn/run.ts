/** Runs the Autobahn test suite, the WebSocket protocol's common yardstick, against the echo example. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { testClient } from "./client_run.ts";
import { isQuick, needsCompression, pickCases } from "./cases.ts";
import { startEchoServer } from "./echo_server.ts";
import { EXPECTATIONS } from "./expectations.ts";
import { NoPython } from "./python.ts";
import { judge, listBlemishes, readResults, type Row, table } from "./report.ts";
import { CLIENTS, namesOf, parseTransports, type Transport, TRANSPORTS } from "./transports.ts";
import { prepareSuite, runSuite, type Suite } from "./wstest.ts";

const REPORTS = fileURLToPath(new URL("./reports/", import.meta.url));

const USAGE = `usage: npm run autobahn -- [options]

Runs the Autobahn test suite against examples/echo.ts, once for each transport. It needs Python 2.7;
the suite itself is installed into tests/autobahn/venv/ on first use. Reports, with the frames of
every case, go to tests/autobahn/reports/TRANSPORT/index.html.

  --transport LIST  which of ${namesOf(TRANSPORTS)} (all);
                    with --client, which of ${namesOf(CLIENTS)}
  --cases LIST      chapters, groups or cases: 1-10 or 1,2,6.4,7.1.6
                    (1-13, of chapters 12 and 13 only the sub-cases 1 to 8)
  --client          test connect() of @duet/websocket/client against the suite's server instead, once
                    for each runtime
  --full            all cases, also the slow ones of chapters 12 and 13
  --if-available    without Python 2.7: say so and exit 0
  --help            print this

Chapters 12 and 13 run only on transports that can compress.`;

/** What the command line asks for. */
interface Options {
  transports: readonly Transport[];
  pick(cases: string[]): string[];
  ifAvailable: boolean;
  client: boolean;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      "transport": { type: "string" },
      "cases": { type: "string" },
      "client": { type: "boolean" },
      "full": { type: "boolean" },
      "if-available": { type: "boolean" },
      "help": { type: "boolean" },
    },
  });
  if (values.help) return undefined;
  if (values.full && values.cases !== undefined) {
    throw new Error("--full and --cases both say which cases to run: give one of them");
  }
  return {
    transports: parseTransports(values.transport, values.client ? CLIENTS : TRANSPORTS),
    pick(cases) {
      if (values.full) return cases;
      return values.cases === undefined ? cases.filter(isQuick) : pickCases(cases, values.cases);
    },
    ifAvailable: values["if-available"] ?? false,
    client: values.client ?? false,
  };
}

async function testServer(
  suite: Suite,
  transport: Transport,
  cases: string[],
  folder: string,
): Promise<void> {
  const server = await startEchoServer(transport, join(folder, "echo.log"));
  try {
    await runSuite(suite, { agent: transport.name, url: server.url, cases, folder });
    await server.stop();
  } finally {
    server.kill();
  }
}

/** Tests one transport, or one client; `trouble` collects what went wrong beside the cases. */
async function test(
  suite: Suite,
  transport: Transport,
  cases: string[],
  trouble: string[],
): Promise<Row> {
  const { name } = transport;
  const folder = join(REPORTS, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const start = performance.now();
  try {
    if (CLIENTS.includes(transport)) {
      await testClient(suite, { agent: name, runtime: transport.runtime, cases, folder });
    } else {
      await testServer(suite, transport, cases, folder);
    }
  } catch (error) {
    trouble.push(`${name}: ${(error as Error).message}`);
  }
  const verdicts = judge(cases, readResults(folder, name), EXPECTATIONS[name] ?? {});
  return { name, verdicts, seconds: (performance.now() - start) / 1000 };
}

async function main(): Promise<boolean> {
  const options = readOptions();
  if (!options) {
    console.log(USAGE);
    return true;
  }

  let suite: Suite;
  try {
    suite = prepareSuite();
  } catch (error) {
    if (!(options.ifAvailable && error instanceof NoPython)) throw error;
    console.log(`Autobahn skipped: ${error.message}`);
    return true;
  }

  const selected = options.pick(suite.cases);
  const rows: Row[] = [];
  const trouble: string[] = [];
  for (const transport of options.transports) {
    const cases = selected.filter((id) => transport.compression || !needsCompression(id));
    if (cases.length === 0) {
      console.log(`${transport.name}: none of the cases asked for can run on it`);
      continue;
    }
    console.log(`${transport.name}: ${cases.length} cases`);
    const row = await test(suite, transport, cases, trouble);
    for (const line of listBlemishes(row.verdicts)) console.log(line);
    rows.push(row);
  }
  if (rows.length === 0) throw new Error("--cases and --transport leave no case to run");

  console.log(`\n${table(rows)}\n`);
  for (const line of trouble) console.log(line);
  const verdicts = rows.flatMap((row) => row.verdicts);
  const failed = verdicts.filter(({ outcome }) => outcome === "failed").length;
  console.log(`${verdicts.length - failed} passed, ${failed} failed`);
  return failed === 0 && trouble.length === 0;
}

// Exiting is what makes the echo server and the suite's client end too: see where they are started.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));
try {
  process.exitCode = await main() ? 0 : 1;
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
