import { messageOf, WebSocketError } from "../../base/errors.ts";
import { CloseCode, PermessageDeflate, unmapped } from "../../protocol/mod.ts";
import { bunApi, type BunHttpServer, type BunTls, type BunWebSocketHandlers } from "../bun_api.ts";
import {
  type Capabilities,
  type ClientAddress,
  type ListenAbilities,
  type ListeningAddress,
  type ListenOptions,
  type Prepared,
  type Transport,
  type TransportHost,
  UNIX_CLIENT,
} from "../transport.ts";
import type { TlsOptions } from "../tls_options.ts";
import { BunHttpChannel } from "./bun_http_channel.ts";
import { BunSocketData, bunWebSocket, type OtherHandlers } from "./bun_websocket.ts";
import { type Accepted, cannotOpen, decide, type Decision } from "./http_upgrade.ts";
import { checkRequest, findInfo, mountMistake } from "./mount_mistake.ts";

/** The longest that Bun lets nothing happen on a connection, in seconds; by itself it cuts a handler after 10. */
const LONGEST_IDLE = 255;

/** `Bun.serve` with its `websocket` handlers. */
export class BunHttpTransport implements Transport {
  static readonly capabilities: Capabilities = {
    compression: true,
    extensions: false,
    ping: true,
    enginePongs: true,
    pause: true,
    socket: false,
    listen: false,
    mount: true,
  };
  static readonly listens: ListenAbilities = {
    tls: ["passphrase", "ca", "requestCert", "rejectUnauthorized", "minVersion"],
    tlsOnPath: true,
    reusePort: true,
    renewal: true,
  };
  readonly #host: TransportHost;
  #server: BunHttpServer | null = null;
  // Stopped, and settled when nothing is under way any more.
  #stopped: { readonly server: BunHttpServer; readonly idle: Promise<void> } | null = null;

  constructor(host: TransportHost) {
    this.#host = host;
  }

  get listener(): unknown {
    return this.#server;
  }

  listen(options: ListenOptions): Promise<ListeningAddress> {
    const { hostname = "0.0.0.0", port, tls, path, reusePort = false } = options;
    const server = bunApi().serve({
      ...(path === undefined ? { hostname, port, reusePort } : { unix: path }),
      tls: tls && tlsOf(tls),
      fetch: (request, server) => {
        server.timeout(request, LONGEST_IDLE);
        return this.#answer(request, server);
      },
      error: (error) => {
        this.#host.report(error);
        return new Response("Internal Server Error\n", { status: 500 });
      },
      websocket: this.websocket(),
    });
    this.#server = server;
    return Promise.resolve({
      ip: path ?? server.hostname ?? "",
      port: server.port ?? 0,
      secure: tls !== undefined,
    });
  }

  stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server !== null) {
      const idle = server.stop(false).catch((error) => this.#host.report(error));
      this.#stopped = { server, idle };
    }
    return Promise.resolve();
  }

  /**
   * Bun waits for clients that have sent half a request for as long as they like. To drop them drops all else
   * too, and Bun does not tell which WebSockets it has told the end of and is still sending to.
   */
  async end(): Promise<void> {
    if (this.#stopped === null) return;
    const { server, idle } = this.#stopped;
    this.#stopped = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<true>((resolve) => {
      timer = setTimeout(() => resolve(true), this.#host.limits.closeTimeout * 1000);
    });
    const waits = await Promise.race([idle, late]);
    clearTimeout(timer);
    if (waits === true) await server.stop(true).catch((error) => this.#host.report(error));
  }

  async upgrade(request: Request, info: unknown, prepared: Prepared): Promise<Response> {
    checkRequest(request);
    const server = findInfo<BunHttpServer>(info, (it) => typeof it.requestIP === "function");
    if (server === undefined) {
      throw mountMistake(
        "`info` is not Bun's Server. Pass what `fetch` was given beside the request: `fetch: (request, server) => sockets.upgrade(request, server)`.",
      );
    }
    return await this.#answer(request, server, prepared);
  }

  #answer(
    request: Request,
    server: BunHttpServer,
    prepared?: Prepared,
  ): Response | Promise<Response> {
    const mounted = prepared !== undefined;
    const remote = remoteOf(request, server);
    const decision = decide(this.#host, request, remote, undefined, prepared);
    if (decision instanceof Response) return decision;
    return decision instanceof Promise
      ? this.#openLater(request, server, mounted, remote, decision)
      : this.#open(request, server, mounted, remote, decision);
  }

  async #openLater(
    request: Request,
    server: BunHttpServer,
    mounted: boolean,
    remote: ClientAddress,
    decision: Promise<Decision>,
  ): Promise<Response> {
    const decided = await decision;
    return decided instanceof Response
      ? decided
      : this.#open(request, server, mounted, remote, decided);
  }

  #open(
    request: Request,
    server: BunHttpServer,
    mounted: boolean,
    remote: ClientAddress,
    { opening, answer }: Accepted,
  ): Response {
    const data = new BunSocketData(new BunHttpChannel(opening, this.#host, remote));
    try {
      if (!upgraded(request, server, data, answer)) {
        // A peer that has gone is nobody's mistake.
        if (mounted && !request.signal.aborted) throw mountMistake(COPY);
        opening.failed();
        return cannotOpen();
      }
      this.#checkEngine(data);
    } catch (error) {
      opening.failed();
      throw mounted ? mistakeOf(error) : error;
    }
    const extended = answer.extensions.length > 0 && data.engine?.compresses === true;
    data.channel.open(data.socket!, extended);
    // Bun has answered by itself. A response for each call, since frameworks add header fields to it.
    return new Response(null, { status: 101 });
  }

  /** Bun tells with which handlers it serves WebSockets only by calling them. */
  #checkEngine({ socket, engine }: BunSocketData): void {
    if (socket === null) {
      throw mountMistake(
        "Bun.serve was given another `websocket`. Give it `sockets.websocket`, or with the other one `sockets.websocketWith(other)`.",
      );
    }
    if (engine !== null && engine.maxPayload < this.maxPayload) {
      socket.close(CloseCode.INTERNAL_ERROR, "");
      throw mountMistake(
        `Bun.serve was given the \`websocket\` of a server that takes messages of ${engine.maxPayload} bytes, and maxRecvSize is ${this.maxPayload} here. Give it that of both: \`one.websocketWith(other.websocket)\`.`,
      );
    }
  }

  get maxPayload(): number {
    return this.#host.limits.maxRecvSize;
  }

  websocket(others?: OtherHandlers): BunWebSocketHandlers<unknown> {
    const deflate = this.#host.extensions.find((it) => it instanceof PermessageDeflate);
    const compressor = deflate === undefined
      ? false
      : deflate.options.contextTakeover
      ? "dedicated"
      : "shared";
    const needs = { maxPayload: this.maxPayload, compressor } as const;
    return bunWebSocket(needs, others, (error) => this.#host.report(error));
  }
}

function remoteOf(request: Request, server: BunHttpServer): ClientAddress {
  const address = server.requestIP(request);
  if (address === null && server.url?.protocol === "unix:") return UNIX_CLIENT;
  return { ip: unmapped(address?.address ?? ""), port: address?.port ?? 0 };
}

/** TLS versions as they are on the wire (RFC 8446 §4.1.2). */
const VERSIONS = { "TLSv1.2": 0x0303, "TLSv1.3": 0x0304 };

function tlsOf({ minVersion, ca, ALPNProtocols: _none, ...others }: TlsOptions): BunTls {
  return {
    ...others,
    ca: ca === undefined || typeof ca === "string" ? ca : [...ca],
    minVersion: minVersion && VERSIONS[minVersion],
  };
}

const COPY =
  "Bun upgrades only the request that `fetch` was given, once, and no copy of it. Pass that one.";

/** Has Bun answer with 101; gives whether it does. */
function upgraded(
  request: Request,
  server: BunHttpServer,
  data: BunSocketData,
  answer: Accepted["answer"],
): boolean {
  const { headers } = request;
  // Bun would answer with the client's first offer, and serves the drafts, which are the same on the
  // wire, only by this number.
  if (answer.subprotocol === undefined) headers.delete("sec-websocket-protocol");
  if (answer.extensions.length === 0) headers.delete("sec-websocket-extensions");
  if (headers.get("sec-websocket-version") !== "13") headers.set("sec-websocket-version", "13");
  const added = answer.headers.length > 0 ? answer.headers : undefined;
  return server.upgrade(request, { headers: added, data });
}

function mistakeOf(error: unknown): WebSocketError {
  if (error instanceof WebSocketError) return error;
  const why = messageOf(error);
  return mountMistake(`Bun says: ${why}. Give it \`websocket: sockets.websocket\`.`, error);
}
