import { WebSocketError } from "../base/errors.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import {
  makeKey,
  openingFields,
  ProtocolError,
  RequestHead,
  type ResponseHead,
} from "../protocol/mod.ts";
import { type Dial, type DialTls, selectDial } from "../transport/tcp/dial.ts";
import type { TransportName } from "../transport/transport.ts";
import { openClient } from "./client_connection.ts";
import { ClientOpening } from "./client_opening.ts";
import { type ClientSettings, type ConnectOptions, readClientOptions } from "./client_options.ts";
import { RefusedError } from "./refused_error.ts";
import { Reconnection } from "./reconnecting.ts";
import { readTarget, redirect, type Target } from "./target.ts";

/**
 * Opens a WebSocket to a server: the engine of the server's "tcp" transports, in the client's role, over the
 * sockets of the runtime. The connection is of the same class as a server's, with the same handlers,
 * `recv()`, limits and backpressure. Its `handshake` has the request that was sent, and the header fields of
 * the response.
 *
 * With `reconnecting` it comes again whenever the connection is lost. It sends nothing twice and asks for nothing
 * that was missed: whoever has to recover what was published meanwhile takes a client of Centrifuge's protocol.
 *
 * Messages that come before somebody takes them wait: set handlers in the options or right afterwards, or call
 * `recv()`.
 *
 * @param url A `ws:` or `wss:` URL, or its `http:` or `https:` form. Credentials in it become `Authorization`.
 * @param options What to ask for, and what to allow.
 * @returns The connection, once it is open. It rejects with a {@linkcode RefusedError} when the server answers
 * with another status than 101; with a `WebSocketError` ERR_CONNECT when it cannot be reached or takes too
 * long, ERR_PROTOCOL when its answer breaks RFC 6455, ERR_INVALID_ARGUMENT for an invalid option,
 * ERR_UNSUPPORTED for what this runtime cannot do; and with the reason of the signal.
 *
 * @example
 * ```ts
 * import { WebSocketServer } from "@duet/websocket";
 * import { connect } from "@duet/websocket/client";
 *
 * await using server = new WebSocketServer({
 *   hostname: "127.0.0.1",
 *   onConnect: (_server, connection) =>
 *     void connection.on({ utf8: (connection, data) => void connection.send(data.toUpperCase()) }),
 * });
 * await server.start();
 *
 * const connection = await connect(`ws://127.0.0.1:${server.port}`);
 * connection.send("hello");
 * console.assert(await connection.recv() === "HELLO");
 * connection.disconnect(1000);
 * ```
 */
export async function connect<C extends WebSocketConnection = WebSocketConnection>(
  url: string | URL,
  options: ConnectOptions<C> = {},
): Promise<C> {
  return await connectOver<C>(selectDial, url, options);
}

/** What carries the bytes of a client. */
export interface Carrier {
  /** The name of its transport. */
  readonly name: TransportName;
  readonly dial: Dial;
}

/**
 * Opens a WebSocket as {@linkcode connect} does, over sockets of any kind.
 *
 * @param select Gives what makes the sockets, to a proxy or not.
 * @param url The URL.
 * @param options What to ask for, and what to allow.
 * @returns The connection, once it is open.
 */
export async function connectOver<C extends WebSocketConnection>(
  select: (proxied: boolean) => Carrier,
  url: string | URL,
  options: ConnectOptions<C>,
): Promise<C> {
  const settings = readClientOptions(options);
  const target = readTarget(url, settings);
  const { reconnecting } = settings;
  const carrier = select(settings.proxy !== undefined);
  if (reconnecting === undefined) return await open(carrier, target, settings) as C;
  const again = (ended: (wanted: boolean) => void) => open(carrier, target, settings, ended);
  return await new Reconnection(again, reconnecting, settings).connect() as C;
}

/** Opens one WebSocket. */
async function open(
  carrier: Carrier,
  first: Target,
  settings: ClientSettings,
  ended?: (wanted: boolean) => void,
): Promise<WebSocketConnection> {
  let target = first;
  const { signal, handshakeTimeout, maxRedirects } = settings;
  signal?.throwIfAborted();
  const giveUp = new AbortController();
  const abort = () => giveUp.abort(signal!.reason);
  signal?.addEventListener("abort", abort);
  const timer = setTimeout(
    () => giveUp.abort(tooLate(target, handshakeTimeout)),
    handshakeTimeout * 1000,
  );
  try {
    for (let redirects = 0;; redirects++) {
      const outcome = await attempt(carrier, target, settings, giveUp.signal, ended);
      if ("connection" in outcome) return outcome.connection;
      // An answer of which not all had come.
      signal?.throwIfAborted();
      const next = nextTarget(target, outcome, redirects < maxRedirects, settings);
      if (typeof next === "string") throw refusal(target, outcome, next);
      giveUp.signal.throwIfAborted();
      target = next;
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/** A server's answer that opens no WebSocket. */
interface Refusal {
  readonly head: ResponseHead;
  readonly body: Uint8Array;
}

type Outcome = { readonly connection: WebSocketConnection } | Refusal;

/** Asks one server. */
async function attempt(
  { name: transport, dial }: Carrier,
  target: Target,
  settings: ClientSettings,
  signal: AbortSignal,
  ended?: (wanted: boolean) => void,
): Promise<Outcome> {
  const { url } = target;
  const headers = target.headers.filter(([name]) => name !== "host");
  const host = target.headers.find(([name]) => name === "host")?.[1] ?? url.host;
  const { subprotocols, extensions, unix } = settings;
  const request = {
    target: url.pathname + url.search,
    host,
    key: makeKey(),
    subprotocols,
    extensions,
    headers,
  };
  const fields = openingFields(request);
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  let abort: (() => void) | undefined;
  try {
    await dial({
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port) || (url.protocol === "wss:" ? 443 : 80),
      unix,
      tls: url.protocol === "wss:" ? dialTls(target) : undefined,
      proxy: settings.proxy,
      signal,
      opened(socket) {
        const opening = new ClientOpening(socket, request, settings, {
          agreed(response, agreed, rest) {
            const head = new RequestHead("GET", request.target, 1, fields);
            const parts = { settings, transport, socket, request: head, response, agreed, ended };
            try {
              const { connection, readOn } = openClient(parts, rest);
              resolve({ connection });
              return readOn;
            } catch (error) {
              socket.destroy();
              reject(error);
              return true;
            }
          },
          refused: (head, body) => resolve({ head, body }),
          failed: reject,
        });
        abort = () => opening.giveUp(signal.reason);
        signal.addEventListener("abort", abort);
        opening.begin(fields);
      },
      report: reject,
    });
    return await promise;
  } catch (error) {
    throw signal.aborted ? signal.reason : connectError(error, url);
  } finally {
    if (abort !== undefined) signal.removeEventListener("abort", abort);
  }
}

function dialTls({ url, tls }: Target): DialTls {
  return {
    ca: tls.ca,
    cert: tls.cert,
    key: tls.key,
    servername: tls.servername ?? url.hostname.replace(/^\[|\]$/g, ""),
    rejectUnauthorized: tls.rejectUnauthorized ?? true,
  };
}

const REDIRECTS = [301, 302, 303, 307, 308];

/** Where an answer leads; a text says why it cannot be followed. */
function nextTarget(
  target: Target,
  { head }: Refusal,
  more: boolean,
  settings: ClientSettings,
): Target | string {
  const location = head.get("location");
  if (!REDIRECTS.includes(head.status) || location === null) return "";
  if (!more) return `there were ${settings.maxRedirects} redirects before, which is maxRedirects`;
  const next = redirect(target, location);
  if (typeof next === "string") return next;
  const elsewhere = next.url.host !== target.url.host;
  return elsewhere && settings.unix !== undefined ? "it leads away from the Unix socket" : next;
}

function refusal({ url }: Target, { head, body }: Refusal, why: string): RefusedError {
  const { status } = head;
  const message = why === ""
    ? `Cannot open a WebSocket on ${url.host}: the server answered with status ${status}`
    : `Cannot follow the redirect of ${url.host}: ${why}`;
  return new RefusedError(message, { status, headers: new Headers([...head]), body });
}

function tooLate({ url }: Target, seconds: number): WebSocketError {
  return new WebSocketError(
    "ERR_CONNECT",
    `Cannot open a WebSocket on ${url.host}: it took over ${seconds} s, which is handshakeTimeout`,
  );
}

function connectError(error: unknown, { host }: URL): unknown {
  if (error instanceof WebSocketError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return error instanceof ProtocolError
    ? new WebSocketError("ERR_PROTOCOL", why, error)
    : new WebSocketError("ERR_CONNECT", `Cannot connect to ${host}: ${why}`, error);
}
