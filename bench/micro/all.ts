// All micro-benchmarks: `deno run -A bench/micro/all.ts` or `bun bench/micro/all.ts`. Each file also runs alone.

import { run } from "mitata";
import "./mask.ts";
import "./utf8.ts";
import "./header.ts";
import "./receiver.ts";
import "./sender.ts";
import "./deflate.ts";

await run();
