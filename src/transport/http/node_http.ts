import { Buffer } from "node:buffer";
import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { handlerError } from "../../base/errors.ts";
import { HttpError, RequestHead, requestUrl } from "../../protocol/mod.ts";
import { isPeerGone } from "../accept_failure.ts";
import { remoteOf } from "../tcp/node_byte_socket.ts";
import { nodeTls } from "../tcp/node_tls.ts";
import { openUpgrade } from "../tcp/node_upgrade.ts";
import { TCP_CAPABILITIES, TCP_LISTENS } from "../tcp/tcp_capabilities.ts";
import type {
  Capabilities,
  ListenAbilities,
  ListeningAddress,
  ListenOptions,
  Prepared,
  Transport,
  TransportHost,
  UpgradeEvent,
} from "../transport.ts";
import { cannotOpen, decide } from "./http_upgrade.ts";

/** How long a socket may be silent while a plain request is served, in milliseconds. */
const SILENCE_MS = 300_000;
/** The longest time between two looks at how long a request head takes, in milliseconds. */
const LOOK_MS = 1000;

/** A `node:http` or `node:https` server of our own, whose upgrades are opened as `handleUpgrade()` does. */
export class NodeHttpTransport implements Transport {
  static readonly capabilities: Capabilities = { ...TCP_CAPABILITIES, listen: false };
  static readonly listens: ListenAbilities = TCP_LISTENS;
  readonly #host: TransportHost;
  #server: Server | null = null;
  // Sockets within their TLS handshake, of which Node's own server knows nothing that could be ended.
  readonly #handshaking = new Set<Socket>();
  // The requests whose responses have not gone out whole.
  readonly #underWay = new Set<Promise<void>>();

  constructor(host: TransportHost) {
    this.#host = host;
  }

  get listener(): unknown {
    return this.#server;
  }

  async listen(options: ListenOptions): Promise<ListeningAddress> {
    const { hostname = "0.0.0.0", port, tls, path, reusePort } = options;
    const secure = tls !== undefined;
    const server = await this.#create(tls);
    if (secure) {
      server.on("connection", (raw: Socket) => {
        this.#handshaking.add(raw);
        raw.once("close", () => this.#handshaking.delete(raw));
      });
      server.on("secureConnection", (socket: Socket) => {
        this.#handshaking.delete((socket as { _parent?: Socket })._parent ?? socket);
      });
    }
    server.on("upgrade", (...event) => this.handleUpgrade(event));
    server.on("request", (message, response) => {
      const served = this.#serve(message, response, secure);
      this.#underWay.add(served);
      void served.then(() => this.#underWay.delete(served));
    });
    server.listen(path === undefined ? { port, host: hostname, reusePort } : { path });
    await once(server, "listening");
    server.on("error", (error) => {
      if (!isPeerGone(error)) this.#host.report(error);
    });
    this.#server = server;
    const address = server.address() as { address: string; port: number } | string;
    return typeof address === "string"
      ? { ip: address, port: 0, secure }
      : { ip: address.address, port: address.port, secure };
  }

  async #create(tls: ListenOptions["tls"]): Promise<Server> {
    const { maxHeaderSize, maxHeaderFields, handshakeTimeout } = this.#host.limits;
    const headersTimeout = Math.ceil(handshakeTimeout * 1000);
    const options = {
      maxHeaderSize,
      headersTimeout,
      requestTimeout: Math.max(SILENCE_MS, headersTimeout),
      connectionsCheckingInterval: Math.min(headersTimeout || LOOK_MS, LOOK_MS),
    };
    // Only who serves with it pays for loading it.
    const server = tls === undefined
      ? (await import("node:http")).createServer(options)
      : (await import("node:https")).createServer({
        ...options,
        ...nodeTls(tls),
        handshakeTimeout: headersTimeout || SILENCE_MS,
      });
    // Node leaves out those beyond it without a word; ours finds that there is one too many.
    server.maxHeadersCount = maxHeaderFields + 1;
    server.timeout = SILENCE_MS;
    return server;
  }

  handleUpgrade(event: UpgradeEvent, prepared?: Prepared): void {
    openUpgrade(event, this.#host, prepared);
  }

  /** Serves a request that is not to become a WebSocket; never rejects. */
  async #serve(message: IncomingMessage, out: ServerResponse, secure: boolean): Promise<void> {
    try {
      await send(await this.#decide(message, out, secure), out);
    } catch (error) {
      // Its client may have left, which is nobody's fault.
      if (!message.socket.destroyed) this.#host.report(handlerError("onRequest", error));
      if (out.headersSent) out.destroy();
      else out.writeHead(500, INTERNAL_ERROR).end("Internal Server Error\n");
    }
    if (!out.closed) await new Promise((resolve) => out.once("close", resolve));
  }

  async #decide(
    message: IncomingMessage,
    out: ServerResponse,
    secure: boolean,
  ): Promise<Response> {
    let request: Request;
    try {
      request = requestOf(message, out, secure);
    } catch (error) {
      const status = error instanceof HttpError ? error.status : 400;
      return new Response("Bad Request\n", { status });
    }
    const decision = await decide(this.#host, request, remoteOf(message.socket), secure);
    if (decision instanceof Response) return decision;
    // Node calls everything an upgrade that we do.
    decision.opening.failed();
    return cannotOpen();
  }

  stop(): Promise<void> {
    this.#server?.close();
    for (const raw of this.#handshaking) raw.destroy();
    return Promise.resolve();
  }

  async end(): Promise<void> {
    const timer = setTimeout(
      () => this.#server?.closeAllConnections(),
      this.#host.limits.closeTimeout * 1000,
    );
    await Promise.all(this.#underWay);
    clearTimeout(timer);
    this.#server?.closeAllConnections();
    this.#server = null;
  }
}

/** Makes a request of the web of one of Node's; it throws for what cannot be one. */
function requestOf(message: IncomingMessage, out: ServerResponse, secure: boolean): Request {
  const { method = "GET", url = "/", rawHeaders } = message;
  const headers = new Headers();
  let fields = "";
  for (let i = 0; i < rawHeaders.length; i += 2) {
    headers.append(rawHeaders[i], rawHeaders[i + 1]);
    fields += `\r\n${rawHeaders[i]}: ${rawHeaders[i + 1]}`;
  }
  const target = requestUrl(new RequestHead(method, url, 1, fields), secure);
  const left = new AbortController();
  out.once("close", () => {
    if (!out.writableFinished) left.abort();
  });
  const { signal } = left;
  if (method === "GET" || method === "HEAD") {
    return new Request(target, { method, headers, signal });
  }
  const body = Readable.toWeb(message) as ReadableStream<Uint8Array>;
  const init: RequestInit & { duplex: "half" } = { method, headers, signal, body, duplex: "half" };
  return new Request(target, init);
}

/** What speaks of the framing is Node's to say. */
const FRAMING = new Set(["keep-alive", "transfer-encoding"]);
const INTERNAL_ERROR = { "Content-Type": "text/plain; charset=utf-8" };

/** The part of a web stream's reader that is used; the types of the runtimes' streams clash. */
interface BodyReader {
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
  cancel(): Promise<void>;
}

/** Sends a response of the web as one of Node's; rejects when its body fails or its client leaves. */
async function send({ status, headers, body }: Response, out: ServerResponse): Promise<void> {
  const fields = [...headers].filter(([name, value]) =>
    // Upgrade is what a refusal of ours says (RFC 9110 §15.5.22).
    !FRAMING.has(name) && (name !== "connection" || value === "Upgrade")
  );
  if (body === null) {
    out.writeHead(status, fields.flat()).end();
    return;
  }
  const reader: BodyReader = body.getReader();
  const turn = new Promise<undefined>((resolve) => setTimeout(resolve, 0, undefined));
  const chunks: Uint8Array[] = [];
  let length = 0;
  let next = reader.read();
  // A body that is here already, as a handler's text is, has a length that can be told.
  for (let got = await Promise.race([next, turn]); got !== undefined && chunks.length < 2;) {
    if (got.done) {
      const told = fields.filter(([name]) => name !== "content-length");
      out.writeHead(status, [...told.flat(), "Content-Length", String(length)]);
      out.end(Buffer.concat(chunks));
      return;
    }
    const chunk = bytesOf(got.value);
    chunks.push(chunk);
    length += chunk.length;
    got = await Promise.race([next = reader.read(), turn]);
  }
  out.writeHead(status, fields.flat());
  if (out.req.method === "HEAD") {
    out.end();
    await reader.cancel();
    return;
  }
  out.flushHeaders();
  await pipeline(Readable.from(restOf(chunks, next, reader)), out);
}

/** All of a body of which something has been read. */
async function* restOf(
  chunks: Uint8Array[],
  next: ReturnType<BodyReader["read"]>,
  reader: BodyReader,
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
    for (let got = await next; !got.done; got = await reader.read()) yield bytesOf(got.value);
  } finally {
    // Where its client has left.
    await reader.cancel();
  }
}

function bytesOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError("Cannot send a body whose stream gives something else than Uint8Array");
}
