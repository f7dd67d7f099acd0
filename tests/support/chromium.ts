import { existsSync } from "node:fs";
import process from "node:process";

const files = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** The browser's file, if there is one on this machine. */
export const chromiumFile: string | undefined = files.find((file) =>
  file !== undefined && existsSync(file)
);

/** Why tests that need the browser are skipped, or false. */
export const noChromium: string | false = chromiumFile === undefined &&
  "no Chromium here: install it, or name its file in the environment variable CHROMIUM";
