import type { WebSocketConnection, WebSocketServerOptions } from "../../mod.ts";
import { type BytePath, bytePaths, openOver, serveOver } from "./byte_paths.ts";
import { RawClient } from "./raw_client.ts";
import { serve, type Served, type Variant, variants } from "./transports.ts";

/** Every way for a WebSocket to reach a server under this runtime: its own engine, and each byte path. */
export const paths: readonly Variant[] = [
  ...variants.filter(({ transport }) => transport === "http"),
  ...bytePaths,
];

function isBytePath(path: Variant): path is BytePath {
  return "preface" in path;
}

/** Starts a server that is reached this way. */
export function serveOn<C extends WebSocketConnection = WebSocketConnection>(
  path: Variant,
  options: WebSocketServerOptions<C> = {},
): Promise<Served<C>> {
  return isBytePath(path) ? serveOver(path, options) : serve(path, options);
}

/** Connects to a server that is reached this way, and opens a WebSocket. */
export function openOn(path: Variant, url: string): Promise<RawClient> {
  return isBytePath(path) ? openOver(path, url) : RawClient.open(url);
}
