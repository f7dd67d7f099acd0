/**
 * `node:test`, noting why a test is skipped: neither runtime's report says so, and Deno counts a
 * test that skips itself while running as passed. The runner binds `node:test` to this module.
 *
 * @module
 */

import * as real from "node:test";
import { addNote } from "./notes.ts";

type AnyFunction = (...args: unknown[]) => unknown;
type Declare = AnyFunction & Record<string, AnyFunction>;
type Reason = string | boolean | undefined;
/** The part of a test's context that can skip. */
type Context = { name: string; skip: AnyFunction; todo: AnyFunction; test: AnyFunction };

function noteSkip(name: string, reason: unknown, begun = false): void {
  addNote({ kind: "skip", name, reason: typeof reason === "string" ? reason : "", begun });
}

/** Makes a context note its own skipping. */
function watch(context: Context): Context {
  // A suite's context cannot skip.
  if (typeof context?.skip !== "function") return context;
  const { name, skip, todo, test } = context;
  context.skip = (reason) => {
    noteSkip(name, reason, true);
    return skip.call(context, reason);
  };
  context.todo = (reason) => {
    noteSkip(name, reason, true);
    return todo.call(context, reason);
  };
  context.test = noting(test.bind(context));
  return context;
}

/** Keeps the number of parameters: by it `node:test` knows a body that takes a callback. */
function watchBody(body: AnyFunction): AnyFunction {
  if (body.length < 2) return (context) => body(watch(context as Context));
  return (context, done) => body(watch(context as Context), done);
}

/** `declare(name?, options?, body?)`, noting a skip that the options ask for. */
function noting(declare: AnyFunction, alwaysSkips = false): AnyFunction {
  return (...args) => {
    const body = args.find((arg) => typeof arg === "function") as AnyFunction | undefined;
    const options = args.find((arg) => typeof arg === "object" && arg !== null);
    const { skip, todo } = (options ?? {}) as { skip?: Reason; todo?: Reason };
    const name = typeof args[0] === "string" ? args[0] : body?.name ?? "";
    if (alwaysSkips || skip || todo) noteSkip(name, skip || todo);
    return declare(...args.map((arg) => arg === body && body ? watchBody(body) : arg));
  };
}

function wrap<T>(declare: T): T {
  const original = declare as unknown as Declare;
  return Object.assign(noting(original), {
    only: noting(original.only),
    skip: noting(original.skip, true),
    todo: noting(original.todo, true),
  }) as unknown as T;
}

// Taken now: where this module replaces node:test, the names of `real` will lead back here.
const { after, afterEach, before, beforeEach, mock } = real;
export { after, afterEach, before, beforeEach, mock };

/** @ignore */
export const describe: typeof real.describe = wrap(real.describe);
/** @ignore */
export const it: typeof real.it = wrap(real.it);
/** @ignore */
export const suite: typeof real.suite = wrap(real.suite);
/** @ignore */
export const test: typeof real.test = Object.assign(wrap(real.test), {
  after,
  afterEach,
  before,
  beforeEach,
  describe,
  it,
  mock,
  suite,
});

export default test;
