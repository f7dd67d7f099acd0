// The load process, always run by Bun: one job as JSON in its argument, its figures as one line of JSON.

import process from "node:process";
import type { Figures, Job } from "./job.ts";
import { broadcast } from "./load/broadcast.ts";
import { connect } from "./load/connect.ts";
import { echo } from "./load/echo.ts";
import { engines } from "./load/engines.ts";
import { idle } from "./load/idle.ts";
import { paced } from "./load/paced.ts";
import { rooms } from "./load/rooms.ts";

function run(job: Job): Promise<Figures> {
  switch (job.kind) {
    case "echo":
      return echo(job);
    case "paced":
      return paced(job);
    case "broadcast":
      return broadcast(job);
    case "rooms":
      return rooms(job);
    case "idle":
      return idle(job);
    case "connect":
      return connect(job);
    case "engine":
      return engines(job);
  }
}

function fail(error: unknown): never {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}

process.on("uncaughtException", fail);
const argument = process.argv[2];
if (argument === undefined) fail("the load process needs one argument, its job as JSON");
try {
  process.stdout.write(JSON.stringify(await run(JSON.parse(argument))) + "\n", () => {
    // The sockets are still open; nothing is gained by closing thousands one by one.
    process.exit(0);
  });
} catch (error) {
  fail(error);
}
