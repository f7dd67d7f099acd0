/**
 * Serves an example's page and the files that belong to it.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** What is served at `/`. */
export interface Page {
  /** Its file in this folder. */
  readonly file: string;
  /** The policy of trusted types that it makes, if it makes one. */
  readonly trustedTypes?: string;
}

// The page may use what its server serves and nothing else, and no text can become markup or code.
function pageHeaders(trustedTypes: string): Record<string, string> {
  return {
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
      `trusted-types ${trustedTypes}`,
    ].join("; "),
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
}

const types: Record<string, string> = {
  html: "text/html",
  css: "text/css",
  js: "text/javascript",
};

/**
 * Makes a handler for plain HTTP requests.
 *
 * @param page The page, or its file.
 * @param others The files that it loads.
 * @returns What `onRequest` takes.
 */
export function servePage(
  page: string | Page,
  ...others: string[]
): (request: Request) => Response {
  const { file, trustedTypes = "'none'" } = typeof page === "string" ? { file: page } : page;
  const common = pageHeaders(trustedTypes);
  const files = new Map([
    ["/", readFile(file)],
    ...others.map((it) => [`/${it}`, readFile(it)] as const),
  ]);
  return (request) => {
    const found = files.get(new URL(request.url).pathname);
    if (found === undefined) {
      return new Response("There is nothing here. The page is at /.\n", { status: 404 });
    }
    const headers = { ...common, "content-type": found.type };
    switch (request.method) {
      case "GET":
        return new Response(found.text, { headers });
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
