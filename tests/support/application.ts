import type { BunWebSocketOptions } from "../../mod.ts";
import { cert, key, runtime } from "./transports.ts";

/** An application with an HTTP server of its own, that of the runtime; stopped at the end of the block. */
export interface Application {
  /** `ws://127.0.0.1:PORT`, or `wss:` with TLS; the path of a Unix socket. */
  readonly url: string;
  /** What its handler threw or rejected with, which is answered 500. */
  readonly errors: unknown[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** How an application serves. */
export interface ApplicationOptions {
  secure?: boolean;
  /** The path of a Unix socket, in place of a port. */
  path?: string;
  /** What Bun.serve gets as `websocket`. */
  websocket?: BunWebSocketOptions;
}

/** What the runtime's handler is called with: its request, and what comes beside it. */
export type Handler = (request: Request, info: unknown) => Response | Promise<Response>;

const globals = globalThis as unknown as {
  Bun: { serve(options: object): { port: number; stop(now: boolean): Promise<void> } };
  Deno: {
    serve(options: object, handler: Handler): {
      addr: { port: number };
      shutdown(): Promise<void>;
    };
  };
};

/** Starts an application. */
export function startApplication(
  handler: Handler,
  { secure = false, path, websocket }: ApplicationOptions = {},
): Application {
  const errors: unknown[] = [];
  const handle: Handler = async (request, info) => {
    try {
      return await handler(request, info);
    } catch (error) {
      errors.push(error);
      return new Response("the application's error", { status: 500 });
    }
  };
  const tls = secure ? { cert, key } : undefined;
  const scheme = secure ? "wss" : "ws";
  if (runtime === "bun") {
    const where = path === undefined ? { hostname: "127.0.0.1", port: 0, tls } : { unix: path };
    const http = globals.Bun.serve({ ...where, fetch: handle, websocket });
    return {
      url: path ?? `${scheme}://127.0.0.1:${http.port}`,
      errors,
      [Symbol.asyncDispose]: () => http.stop(true),
    };
  }
  const where = path === undefined ? { hostname: "127.0.0.1", port: 0, ...tls } : { path };
  const http = globals.Deno.serve({ ...where, onListen() {} }, handle);
  return {
    url: path ?? `${scheme}://127.0.0.1:${http.addr.port}`,
    errors,
    [Symbol.asyncDispose]: () => http.shutdown(),
  };
}
