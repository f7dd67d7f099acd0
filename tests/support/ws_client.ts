import { once } from "node:events";
import type { ClientOptions, WebSocket as WsWebSocket } from "ws";
import { patiently } from "./patience.ts";
import { cert } from "./transports.ts";

export type { WsWebSocket };

type WsConstructor = new (
  url: string,
  protocols: string | string[],
  options: ClientOptions,
) => WsWebSocket;

// By its path: Bun would give its own imitation, which cannot send fragments, for the name "ws".
const { default: Ws } = await import(
  new URL("../../node_modules/ws/wrapper.mjs", import.meta.url).href
) as { default: WsConstructor };

/** Makes a client with the package `ws`; it trusts the certificate of the tests. */
export function makeWs(
  url: string,
  { protocols = [], ...options }: ClientOptions & { protocols?: string[] } = {},
): WsWebSocket {
  return new Ws(url, protocols, { ca: cert, ...options } as ClientOptions);
}

/** The same, once it is open. */
export async function openWs(
  url: string,
  options?: ClientOptions & { protocols?: string[] },
): Promise<WsWebSocket> {
  const client = makeWs(url, options);
  await patiently(once(client, "open"), "the opening of a ws client");
  return client;
}

/** Waits for the next message: text as a string, binary as bytes. */
export async function nextOfWs(client: WsWebSocket): Promise<string | Uint8Array> {
  const [data, isBinary] = await patiently(once(client, "message"), "a message to a ws client");
  return isBinary ? new Uint8Array(data) : data.toString("utf8");
}

/** Waits for the end. */
export async function endOfWs(client: WsWebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = await patiently(once(client, "close"), "the end of a ws client");
  return { code, reason: reason.toString("utf8") };
}
