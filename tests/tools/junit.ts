/**
 * Reads the JUnit reports of `deno test`, `bun test` and Node into one list of tests.
 *
 * They count a `describe` block, or a test with subtests, in their own ways; here a test is a leaf,
 * and what holds other tests is counted only when it failed by itself (in a hook, say).
 *
 * @module
 */

/** One test of a report. */
export interface TestResult {
  /** The names of its groups and its own, joined by " > ". */
  name: string;
  status: "passed" | "failed" | "skipped";
  /** The failure's text, or the skip's reason; empty where the report gives none. */
  detail: string;
}

const SEPARATOR = " > ";
const TAG = /<(\/?)(testsuite|testcase|failure|error|skipped)\b((?:[^>"]|"[^"]*")*?)(\/?)>/g;

/**
 * Reads one report.
 *
 * @param xml The report.
 * @param files Whether its outermost suites are the files, as all but Node have it.
 */
export function parseJunit(xml: string, files = true): TestResult[] {
  return leaves(testCases(xml, files ? 1 : 0));
}

function testCases(xml: string, outer: number): TestResult[] {
  const found: TestResult[] = [];
  const groups: string[] = [];
  let current: TestResult | undefined;
  let textStart = 0;
  for (const match of xml.matchAll(TAG)) {
    const [whole, closing, tag, attributes, selfClosing] = match;
    const end = match.index + whole.length;
    if (tag === "testsuite") {
      if (closing) groups.pop();
      else if (!selfClosing) groups.push(attribute(attributes, "name"));
    } else if (tag === "testcase") {
      if (closing) continue;
      const name = [...groups.slice(outer), attribute(attributes, "name")].join(SEPARATOR);
      current = { name, status: "passed", detail: "" };
      found.push(current);
    } else if (current && !closing) {
      textStart = end;
      current.status = tag === "skipped" ? "skipped" : "failed";
      current.detail = attribute(attributes, "message");
    } else if (current) {
      const text = unescape(xml.slice(textStart, match.index)).trim();
      if (text) current.detail = text;
    }
  }
  return found;
}

function leaves(tests: TestResult[]): TestResult[] {
  const groups = new Set<string>();
  const failedGroups = new Set<string>();
  for (const test of tests) {
    for (const group of groupsOf(test.name)) {
      groups.add(group);
      if (test.status === "failed") failedGroups.add(group);
    }
  }
  return tests.filter(({ name, status }) =>
    !groups.has(name) || (status === "failed" && !failedGroups.has(name))
  );
}

/** The names of the groups round the test of this name, innermost first. */
export function groupsOf(name: string): string[] {
  const groups: string[] = [];
  for (
    let end = name.lastIndexOf(SEPARATOR);
    end > 0;
    end = name.lastIndexOf(SEPARATOR, end - 1)
  ) {
    groups.push(name.slice(0, end));
  }
  return groups;
}

function attribute(attributes: string, name: string): string {
  const match = attributes.match(new RegExp(`\\b${name}="([^"]*)"`));
  return match ? unescape(match[1]) : "";
}

const ENTITIES: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(parseInt(hex, 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return ENTITIES[name] ?? whole;
  });
}
