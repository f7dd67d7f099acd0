/**
 * Serves an example's page and the files that belong to it.
 *
 * @module
 */
import { readFileSync } from "node:fs";

// The page may use what this server serves and nothing else, and no text can become markup or code.
const pageHeaders = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "cache-control": "no-cache",
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const types: Record<string, string> = {
  html: "text/html",
  css: "text/css",
  js: "text/javascript",
};

/**
 * Makes a handler for plain HTTP requests.
 *
 * @param page The page's file in this folder, which is served at `/`.
 * @param others The files that it loads.
 * @returns What `onRequest` takes.
 */
export function servePage(page: string, ...others: string[]): (request: Request) => Response {
  const files = new Map([
    ["/", readFile(page)],
    ...others.map((it) => [`/${it}`, readFile(it)] as const),
  ]);
  return (request) => {
    const file = files.get(new URL(request.url).pathname);
    if (file === undefined) {
      return new Response("There is nothing here. The page is at /.\n", { status: 404 });
    }
    const headers = { ...pageHeaders, "content-type": file.type };
    switch (request.method) {
      case "GET":
        return new Response(file.text, { headers });
      case "HEAD":
        return new Response(null, { headers });
      default:
        return new Response("Only GET and HEAD work here.\n", {
          status: 405,
          headers: { allow: "GET, HEAD" },
        });
    }
  };
}

function readFile(name: string): { text: string; type: string } {
  const text = readFileSync(new URL(name, import.meta.url), "utf8");
  return { text, type: `${types[name.split(".").at(-1)!]}; charset=utf-8` };
}
