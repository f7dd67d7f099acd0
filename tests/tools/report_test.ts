import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { Outcome } from "./command.ts";
import { parseJunit, type TestResult } from "./junit.ts";
import { reportCheck, reportTests } from "./report.ts";
import type { Note } from "./notes.ts";

const ENDED_WELL: Outcome = { code: 0, output: "", stdout: "", timedOut: false, seconds: 1 };
const ENDED_BADLY: Outcome = { ...ENDED_WELL, code: 1 };

describe("parseJunit", () => {
  it("counts the leaves of a report of Deno's, where groups are tests too", () => {
    const tests = parseJunit(`<?xml version="1.0"?>
      <testsuites name="deno test" tests="5">
        <testsuite name="./tests/a_test.ts">
          <testcase name="plain" line="1"></testcase>
          <testcase name="group" line="2">
            <failure message="1 test step failed">1 test step failed.</failure>
          </testcase>
        </testsuite>
        <testsuite name="ext:node">
          <testcase name="group &gt; inner"></testcase>
          <testcase name="group &gt; inner &gt; leaf"><skipped/></testcase>
          <testcase name="group &gt; breaks">
            <failure message="short">Error: 1 &lt; 2&#10;at x</failure>
          </testcase>
        </testsuite>
      </testsuites>`);
    assertEquals(tests, [
      { name: "plain", status: "passed", detail: "" },
      { name: "group > inner > leaf", status: "skipped", detail: "" },
      { name: "group > breaks", status: "failed", detail: "Error: 1 < 2\nat x" },
    ]);
  });

  it("keeps a group that failed by itself", () => {
    const tests = parseJunit(`
      <testsuite name="a">
        <testcase name="group"><failure message="hook">Error: hook</failure></testcase>
        <testcase name="group &gt; leaf"></testcase>
      </testsuite>`);
    assertEquals(tests.map(({ name, status }) => [name, status]), [
      ["group", "failed"],
      ["group > leaf", "passed"],
    ]);
  });

  it("reads a report of Bun's, where groups are suites within the file's", () => {
    const tests = parseJunit(`
      <testsuites name="bun test">
        <testsuite name="tests/a_test.ts" file="tests/a_test.ts">
          <testcase name="plain" classname="" />
          <testsuite name="group">
            <testcase name="a &gt; b" classname="group"><skipped /></testcase>
            <testsuite name="inner"><testcase name="leaf" classname="inner" /></testsuite>
          </testsuite>
          <testcase name="last" classname=""><failure type="Error" message="no" /></testcase>
        </testsuite>
      </testsuites>`);
    assertEquals(tests.map(({ name, status }) => [name, status]), [
      ["plain", "passed"],
      ["group > a > b", "skipped"],
      ["group > inner > leaf", "passed"],
      ["last", "failed"],
    ]);
  });
});

describe("reportTests", () => {
  const passed = (name: string): TestResult => ({ name, status: "passed", detail: "" });
  const skipped = (name: string): TestResult => ({ name, status: "skipped", detail: "" });
  const skip = (name: string, reason: string, begun = false): Note => ({
    kind: "skip",
    name,
    reason,
    begun,
  });
  const count = (tests: TestResult[] | undefined, notes: Note[] = [], outcome = ENDED_WELL) => {
    const { passed, failures, skips } = reportTests({ outcome, timeout: 9, tests, notes });
    return [passed, failures.length, skips.length];
  };

  it("counts a skip with its reason, its own or its group's", () => {
    const notes = [skip("leaf", "own"), skip("group", "of the group")];
    assertEquals(count([passed("a"), skipped("b > leaf"), skipped("group > c")], notes), [1, 0, 2]);
  });

  it("fails a skip without a reason", () => {
    assertEquals(count([passed("a"), skipped("b")], [skip("b", "")]), [1, 1, 0]);
    assertEquals(count([passed("a"), skipped("b")]), [1, 1, 0]);
  });

  it("uses each note once, so that one reason does not excuse two tests", () => {
    assertEquals(count([skipped("x > b"), skipped("y > b")], [skip("b", "why")]), [0, 1, 1]);
  });

  it("counts a test that skipped itself, though the report has it as passed", () => {
    assertEquals(count([passed("a"), passed("b")], [skip("b", "why", true)]), [1, 0, 1]);
  });

  it("counts a skipped group that the report leaves out", () => {
    assertEquals(count([passed("a")], [skip("group", "why")]), [1, 0, 1]);
  });

  it("fails an error that no test caught, noted or printed, unless a test failed of it", () => {
    const stray: Note = { kind: "stray", message: "Error: late\n  at x" };
    assertEquals(count([passed("a")], [stray]), [1, 1, 0]);
    const failed: TestResult = { name: "a", status: "failed", detail: "Error: late" };
    assertEquals(count([failed], [stray], ENDED_BADLY), [0, 1, 0]);
    const output = "# Unhandled error between tests\nerror: at load\n 1 pass\n 2 errors\n";
    assertEquals(count([passed("a")], [], { ...ENDED_BADLY, output }), [1, 2, 0]);
  });

  it("fails a process that ends badly, late, without a report or without a test", () => {
    assertEquals(count([passed("a")], [], ENDED_BADLY), [1, 1, 0]);
    assertEquals(count([passed("a")], [], { ...ENDED_BADLY, timedOut: true }), [1, 1, 0]);
    assertEquals(count(undefined), [0, 1, 0]);
    assertEquals(count([]), [0, 1, 0]);
  });
});

describe("reportCheck", () => {
  it("is one pass or one failure that says how the command ended", () => {
    assertEquals(reportCheck(ENDED_WELL, 9).passed, 1);
    assert(reportCheck(ENDED_BADLY, 9).failures[0].includes("exit code 1"));
    const late = reportCheck({ ...ENDED_BADLY, code: null, timedOut: true }, 9);
    assert(late.failures[0].includes("after 9 s"));
  });
});
