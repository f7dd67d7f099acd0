// Draws how servers scale with busy connections as an SVG.
// deno run -A bench/plot_scale.ts RESULTS.json > docs/scale.svg draws kept results again.

import { readFileSync } from "node:fs";
import process from "node:process";
import type { Figures } from "./job.ts";
import { findCell, medianOf, type Results, type SuiteResult } from "./results.ts";
import { serverById } from "./servers.ts";

const PANELS: [figure: keyof Figures, title: string, text: (value: number) => string][] = [
  ["perSecond", "Messages a second", (it) => `${(it / 1e3).toFixed(0)} k`],
  ["p99", "p99 latency", (it) => `${(it * 1e3).toFixed(it < 0.01 ? 2 : 0)} ms`],
  ["peakMemory", "Memory of the process", (it) => `${(it / 2 ** 20).toFixed(0)} MiB`],
];
const COLORS = ["#1a7f8e", "#d5763a", "#7c5bbf", "#4f9a3d", "#9aa4af", "#c6a13b"];

const WIDTH = 330;
const PLOT = { left: 58, top: 90, width: 250, height: 190 };
const HEIGHT = 350;

const STYLE = `
  text { font: 11px system-ui, sans-serif; fill: #1f2328 }
  .head { font-size: 17px; font-weight: 600 }
  .title { font-size: 13px; font-weight: 600 }
  .axis { stroke: #9aa4af; stroke-width: 1; fill: none }
  .line { stroke-width: 2; fill: none }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }`;

/**
 * Draws the suite `scale-connections`.
 *
 * @param results The results of a run.
 * @returns The SVG; undefined where the run did not have the suite.
 */
export function plotScale(results: Results): string | undefined {
  const suite = results.suites.find(({ id }) => id === "scale-connections");
  if (suite === undefined) return undefined;
  const servers = [...new Set(suite.cells.map(({ server }) => server))];
  const points = [...new Set(suite.cells.map(({ point }) => point))];
  const legend = servers.map((server, i) => {
    const x = 12 + i * 150;
    return `<path class="line" stroke="${COLORS[i]}" d="M${x} 44h18"/>` +
      text(x + 24, 48, "", serverById(server).label);
  });
  const panels = PANELS.map((panel, i) =>
    `<g transform="translate(${i * WIDTH} 0)">\n${draw(suite, panel, servers, points)}\n</g>`
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${PANELS.length * WIDTH} ${HEIGHT}" ` +
    `role="img" aria-label="Throughput, latency and memory as busy connections grow">`,
    `<style>${STYLE}\n</style>`,
    text(12, 24, "head", "64-byte echo as busy connections grow, one process on one processor"),
    ...legend,
    ...panels,
    "</svg>\n",
  ].join("\n");
}

function draw(
  suite: SuiteResult,
  [figure, title, show]: typeof PANELS[number],
  servers: string[],
  points: string[],
): string {
  const values = servers.map((server) =>
    points.map((point) => medianOf(findCell(suite.cells, { point, server }), figure))
  );
  const known = values.flat().flatMap((it) => it ?? []);
  // Both axes are logarithmic: the figures differ by powers of ten.
  const [low, high] = [Math.log(Math.min(...known)), Math.log(Math.max(...known))];
  const { left, top, width, height } = PLOT;
  const x = (i: number) => left + (width * i) / Math.max(1, points.length - 1);
  const y = (value: number) => top + height * (1 - (Math.log(value) - low) / (high - low || 1));
  const lines = values.map((row, i) => {
    const path = row.flatMap((value, at) => value === undefined ? [] : [`${x(at)} ${y(value)}`]);
    return `<path class="line" stroke="${COLORS[i]}" d="M${path.join("L")}"/>`;
  });
  const marks = [low, (low + high) / 2, high].map((it) =>
    text(left - 6, y(Math.exp(it)) + 4, "", show(Math.exp(it)), "end")
  );
  return [
    text(left, top - 12, "title", title),
    `<path class="axis" d="M${left} ${top}v${height}h${width}"/>`,
    ...marks,
    ...points.map((point, i) =>
      text(x(i), top + height + 18, "", point.replace(" connections", ""), "middle")
    ),
    ...lines,
  ].join("\n");
}

function text(x: number, y: number, kind: string, content: string, anchor?: string): string {
  const attributes = (kind && ` class="${kind}"`) + (anchor ? ` text-anchor="${anchor}"` : "");
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${attributes}>${content}</text>`;
}

if (import.meta.main) {
  const file = process.argv[2];
  const drawn = file && plotScale(JSON.parse(readFileSync(file, "utf8")));
  if (!drawn) {
    console.error(
      "say which results of scale-connections to draw: bench/plot_scale.ts RESULTS.json",
    );
    process.exit(2);
  }
  process.stdout.write(drawn);
}
