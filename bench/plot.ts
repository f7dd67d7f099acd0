// Draws the echo figures of a run as an SVG for the README.
// deno run -A bench/plot.ts RESULTS.json > docs/benchmark.svg draws kept results again.

import { readFileSync } from "node:fs";
import process from "node:process";
import { medianOf, type Results, type SuiteResult } from "./results.ts";
import { serverById } from "./servers.ts";

const PANELS = ["64Bx32-binary", "64Bx1-binary", "64KiB-binary", "1MiB-binary"];

const COLUMNS = 2;
const PANEL_WIDTH = 470;
const LABEL_WIDTH = 190;
const BAR_WIDTH = 190;
const ROW = 20;
const PANEL_TOP = 44;
const PANEL_BOTTOM = 16;
const HEAD = 64;

/** Readable on a light and on a dark page, since a README is shown on both. */
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .head { font-size: 17px; font-weight: 600 }
  .title { font-size: 13px; font-weight: 600 }
  .note { font-size: 11px; fill: #59636e }
  .ours { fill: #1a7f8e }
  .peer { fill: #9aa4af }
  .floor { fill: #d5b36a }
  .range { stroke: #1f2328; stroke-width: 1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .note { fill: #9198a1 }
    .ours { fill: #3fb6c6 }
    .peer { fill: #656d76 }
    .range { stroke: #e6edf3 }
  }`;

export function plot(results: Results): string {
  const panels = PANELS.flatMap((id) => results.suites.find((suite) => suite.id === id) ?? []);
  const heights = panels.map((suite) => PANEL_TOP + suite.cells.length * ROW + PANEL_BOTTOM);
  const panelHeight = Math.max(0, ...heights);
  const width = COLUMNS * PANEL_WIDTH;
  const height = HEAD + Math.ceil(panels.length / COLUMNS) * panelHeight;
  const drawn = panels.map((suite, i) => {
    const x = (i % COLUMNS) * PANEL_WIDTH;
    const y = HEAD + Math.floor(i / COLUMNS) * panelHeight;
    return `<g transform="translate(${x} ${y})">\n${panel(suite)}\n</g>`;
  });
  const { machine } = results;
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" ` +
    `aria-label="Echo throughput of Duet and its peers">`,
    `<style>${STYLE}\n</style>`,
    text(12, 26, "head", "Messages echoed a second, one server process on one processor"),
    text(
      12,
      46,
      "note",
      `Medians of ${results.rounds} rounds, lines from least to most. ${machine.processor}, ` +
        `${machine.system.split(",")[0]}; ${versions.join(", ")}; ${results.date.slice(0, 10)}`,
    ),
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

function panel(suite: SuiteResult): string {
  const bars = suite.cells.flatMap((cell) => {
    const middle = medianOf(cell, "perSecond");
    if (middle === undefined) return [];
    const all = cell.runs.flatMap((run) => run?.perSecond ?? []);
    return [{
      entry: serverById(cell.server),
      middle,
      least: Math.min(...all),
      most: Math.max(...all),
    }];
  });
  bars.sort((a, b) => b.middle - a.middle);
  const scale = BAR_WIDTH / Math.max(...bars.map((bar) => bar.most));
  const lines = [text(12, 24, "title", suite.title)];
  bars.forEach(({ entry, middle, least, most }, i) => {
    const top = PANEL_TOP + i * ROW;
    const base = top + 12;
    const kind = entry.ours ? "ours" : entry.protocol === "tcp" ? "floor" : "peer";
    const [from, to] = [LABEL_WIDTH + least * scale, LABEL_WIDTH + most * scale];
    lines.push(
      text(LABEL_WIDTH - 8, base, "", entry.label, "end"),
      `<rect class="${kind}" x="${LABEL_WIDTH}" y="${top}" height="15" ` +
        `width="${Math.max(1, middle * scale).toFixed(1)}"/>`,
      `<path class="range" d="M${from.toFixed(1)} ${top + 7.5}H${to.toFixed(1)}"/>`,
      text(Math.ceil(to) + 6, base, "", short(middle)),
    );
  });
  return lines.join("\n");
}

function text(x: number, y: number, kind: string, content: string, anchor?: "end"): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const attributes = (kind && ` class="${kind}"`) + (anchor ? ` text-anchor="${anchor}"` : "");
  return `<text x="${x}" y="${y}"${attributes}>${escaped}</text>`;
}

function short(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)} k`;
  return Math.round(value).toLocaleString("en");
}

if (import.meta.main) {
  const file = process.argv[2];
  if (file === undefined) {
    console.error("say which results to draw: deno run -A bench/plot.ts RESULTS.json");
    process.exit(2);
  }
  process.stdout.write(plot(JSON.parse(readFileSync(file, "utf8"))));
}
