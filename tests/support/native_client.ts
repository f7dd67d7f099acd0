import { Journal } from "./journal.ts";
import { patiently } from "./patience.ts";
import { cert, runtime } from "./transports.ts";

/** A client with the runtime's own `WebSocket`. */
export interface NativeClient {
  readonly socket: WebSocket;
  /** The messages: text as a string, binary as bytes. */
  readonly messages: Journal<string | Uint8Array>;
  /** Waits for the `close` event. */
  end(): Promise<CloseEvent>;
}

/** What is asked of the server beside the defaults. */
export interface NativeOptions {
  protocols?: string[];
  headers?: Record<string, string>;
}

/** Neither runtime's own types have the other's second argument. */
type AnyWebSocket = new (url: string, options: object) => WebSocket;

/** Opens a client with the runtime's own `WebSocket`; it trusts the certificate of the tests. */
export async function openNative(url: string, options: NativeOptions = {}): Promise<NativeClient> {
  const trust = TRUST[runtime]();
  const socket = new (WebSocket as unknown as AnyWebSocket)(url, { ...options, ...trust });
  socket.binaryType = "arraybuffer";
  const messages = new Journal<string | Uint8Array>();
  socket.onmessage = ({ data }) => {
    messages.add(typeof data === "string" ? data : new Uint8Array(data));
  };
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  const opened = new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    void closed.then(({ code }) => reject(new Error(`closed before it was open: ${code}`)));
  });
  await patiently(opened, "the opening of the runtime's own client");
  return {
    socket,
    messages,
    end: () => patiently(closed, "the end of the runtime's own client"),
  };
}

/** How each runtime's own client is told of the certificate. */
const TRUST = {
  bun: () => ({ tls: { ca: cert } }),
  deno: () => ({ client: denoHttpClient() }),
  node: () => ({ dispatcher: nodeDispatcher() }),
};

let dispatcher: unknown;

/** Node does not export the class of its dispatchers, but has one of them where its clients find it. */
function nodeDispatcher(): unknown {
  const given = (globalThis as Record<symbol, unknown>)[Symbol.for("undici.globalDispatcher.1")];
  const Agent = (given as { constructor: new (options: object) => unknown }).constructor;
  return dispatcher ??= new Agent({ connect: { ca: cert } });
}

let httpClient: unknown;

function denoHttpClient(): unknown {
  const { Deno } = globalThis as unknown as {
    Deno: { createHttpClient(options: { caCerts: string[] }): unknown };
  };
  return httpClient ??= Deno.createHttpClient({ caCerts: [cert] });
}
