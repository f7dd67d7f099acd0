/**
 * A WebSocket inside an application that owns its HTTP server: static files with ETags, a JSON API
 * at `/api/visitors`, and a WebSocket at `/ws` that tells every page how many are open.
 *
 * ```sh
 * deno run --allow-net --allow-read examples/http_app.ts
 * bun run examples/http_app.ts
 * ```
 *
 * `@std/http` comes from JSR: Deno finds it through `deno.json`, Bun after `bunx jsr add @std/http`.
 * Only modules of it that run everywhere are used; its file server runs on Deno alone.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { eTag, ifNoneMatch } from "@std/http/etag";
import { STATUS_TEXT } from "@std/http/status";
import { WebSocketServer } from "../mod.ts";
import { type Flags, readFlags, runServer, serverUrl, type StartableServer } from "./flags.ts";
import { requireSameOrigin } from "./same_origin.ts";

type Handler = (request: Request, info: unknown) => Response | Promise<Response>;

/** An HTTP server of either runtime, as far as this example uses it. */
interface HttpServer {
  readonly port: number;
  stop(): Promise<void>;
}

class App implements StartableServer {
  readonly isSsl = flags.options.tls !== undefined;
  #http: HttpServer | undefined;

  // This server never listens itself: it is handed the requests for /ws.
  readonly #sockets = new WebSocketServer({
    ...flags.options,
    onConnect: (_server, connection) => {
      const tell = () => void this.#sockets.broadcast(JSON.stringify(this.#visitors()));
      // Behind a proxy Host may be another: then --origin tells what the pages' origin is.
      const handshake = flags.options.allowedOrigins === undefined ? requireSameOrigin : undefined;
      connection.on({ handshake, ready: tell, disconnect: tell });
    },
  });

  get port(): number | undefined {
    return this.#http?.port;
  }

  start(): Promise<void> {
    const handler: Handler = (request, info) => this.#handle(request, info);
    this.#http = serve(flags, handler, this.#sockets.websocket);
    return Promise.resolve();
  }

  async shutdown(): Promise<void> {
    await this.#sockets.shutdown();
    await this.#http?.stop();
  }

  #handle(request: Request, info: unknown): Response | Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/ws") return this.#sockets.upgrade(request, info);
    if (request.method !== "GET" && request.method !== "HEAD") return plain(405);
    if (pathname === "/api/visitors") return Response.json(this.#visitors());
    return serveFile(request, pathname);
  }

  #visitors(): { visitors: number } {
    return { visitors: Array.from(this.#sockets.connections).length };
  }
}

const flags = readFlags({
  name: "http_app.ts",
  about: "Static files, a JSON API and a WebSocket on one HTTP server.",
  port: 8000,
});
if (flags.transport === "tcp") {
  console.error("http_app.ts: --transport tcp has no HTTP server to mount on; leave it out");
  process.exit(2);
}

const files = new Map([
  ["/", await readFile("index.html", "text/html")],
  ["/style.css", await readFile("style.css", "text/css")],
  ["/app.js", await readFile("app.js", "text/javascript")],
]);

const app = await runServer(flags, () => new App());
console.log(`open ${serverUrl(app, flags, "http")}/ in a browser`);

function serveFile(request: Request, pathname: string): Response {
  const file = files.get(pathname);
  if (file === undefined) return plain(404);
  const headers = {
    "content-type": file.type,
    "etag": file.etag,
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'self'; img-src data:; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
  };
  if (!ifNoneMatch(request.headers.get("if-none-match"), file.etag)) {
    return new Response(null, { status: 304, headers });
  }
  return new Response(request.method === "HEAD" ? null : file.text, { headers });
}

function plain(status: 404 | 405): Response {
  const headers = status === 405 ? { allow: "GET, HEAD" } : undefined;
  return new Response(`${STATUS_TEXT[status]}\n`, { status, headers });
}

async function readFile(name: string, type: string) {
  const text = readFileSync(new URL(`public/${name}`, import.meta.url), "utf8");
  return { text, type: `${type}; charset=utf-8`, etag: await eTag(text) };
}

/** Starts this runtime's own HTTP server; both call the handler with what `upgrade` needs. */
function serve(
  { hostname, port, options }: Flags,
  handler: Handler,
  websocket: unknown,
): HttpServer {
  const { Deno, Bun } = globalThis as unknown as Partial<Runtimes>;
  if (Bun !== undefined) {
    const { tls } = options;
    const server = Bun.serve({ hostname, port, tls, fetch: handler, websocket });
    return { port: server.port, stop: () => server.stop() };
  }
  if (Deno !== undefined) {
    const server = Deno.serve({ hostname, port, ...options.tls, onListen() {} }, handler);
    return { port: server.addr.port, stop: () => server.shutdown() };
  }
  throw new Error("This example needs the HTTP server of Deno or Bun; run it with one of them.");
}

/** The few names of either runtime that are used here, so that this file checks under both. */
interface Runtimes {
  Deno: {
    serve(
      options: { hostname: string; port: number; cert?: string; key?: string; onListen(): void },
      handler: Handler,
    ): { addr: { port: number }; shutdown(): Promise<void> };
  };
  Bun: {
    serve(options: {
      hostname: string;
      port: number;
      tls: Flags["options"]["tls"];
      fetch: Handler;
      websocket: unknown;
    }): { port: number; stop(): Promise<void> };
  };
}
