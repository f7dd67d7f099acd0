/**
 * Loaded before every test file under Bun: binds `node:test` to the one that notes why a test is
 * skipped, as the import map does under Deno.
 *
 * @module
 */

import { mock } from "bun:test";
import * as noting from "../tests/tools/noting.ts";

mock.module("node:test", () => ({ ...noting }));
