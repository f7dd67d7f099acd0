import { once } from "node:events";
import type { ClientOptions, WebSocket as WsWebSocket } from "ws";
import { Journal } from "./journal.ts";
import { patiently } from "./patience.ts";
import { cert } from "./transports.ts";

/** A client with the package `ws`. */
export interface WsClient {
  readonly socket: WsWebSocket;
  /** The messages: text as a string, binary as bytes. */
  readonly messages: Journal<string | Uint8Array>;
  readonly pongs: Journal<string>;
  /** Waits for the `close` event. */
  end(): Promise<{ code: number; reason: string }>;
}

/** What is asked of the server beside the defaults of `ws`. */
export type WsOptions = ClientOptions & { protocols?: string[] };

type WsConstructor = new (url: string, protocols: string[], options: ClientOptions) => WsWebSocket;

// By its path: for the name "ws" Bun gives its own imitation, which cannot send fragments.
const { default: Ws } = await import(
  new URL("../../node_modules/ws/wrapper.mjs", import.meta.url).href
) as { default: WsConstructor };

/** Opens a client with the package `ws`; it trusts the certificate of the tests. */
export async function openWs(
  url: string,
  { protocols = [], ...options }: WsOptions = {},
): Promise<WsClient> {
  const socket = new Ws(url, protocols, { ca: cert, ...options } as ClientOptions);
  const messages = new Journal<string | Uint8Array>();
  const pongs = new Journal<string>();
  socket.on("message", (data: Uint8Array, isBinary: boolean) => {
    messages.add(isBinary ? new Uint8Array(data) : data.toString());
  });
  socket.on("pong", (payload) => pongs.add(payload.toString()));
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  await patiently(once(socket, "open"), "the opening of a ws client");
  // Of an error after the opening, "close" tells with its code.
  socket.on("error", () => {});
  return {
    socket,
    messages,
    pongs,
    end: () => patiently(closed, "the end of a ws client"),
  };
}
