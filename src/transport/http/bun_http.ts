import { PermessageDeflate } from "../../protocol/mod.ts";
import { bunApi, type BunHttpServer, type BunWebSocketHandlers } from "../bun_api.ts";
import type {
  Address,
  Capabilities,
  ListeningAddress,
  ListenOptions,
  Transport,
  TransportHost,
} from "../transport.ts";
import { BunHttpChannel } from "./bun_http_channel.ts";
import { type Accepted, decide, type Decision } from "./http_upgrade.ts";

/** `Bun.serve` with its `websocket` handlers. */
export class BunHttpTransport implements Transport {
  static readonly capabilities: Capabilities = {
    compression: true,
    extensions: false,
    ping: true,
    enginePongs: true,
    pause: true,
    socket: false,
    mount: true,
  };
  readonly #host: TransportHost;
  #server: BunHttpServer<BunHttpChannel> | null = null;
  /** Bun has answered an upgrade by itself, and does not look at what is returned. */
  readonly #upgraded = new Response(null);

  constructor(host: TransportHost) {
    this.#host = host;
  }

  get listener(): unknown {
    return this.#server;
  }

  listen({ hostname = "0.0.0.0", port, tls }: ListenOptions): Promise<ListeningAddress> {
    const server = bunApi().serve({
      hostname,
      port,
      tls: tls && { cert: tls.cert, key: tls.key },
      fetch: (request, server) => this.upgrade(request, server),
      error: (error) => {
        this.#host.report(error);
        return new Response("Internal Server Error\n", { status: 500 });
      },
      websocket: this.websocket,
    });
    this.#server = server;
    return Promise.resolve({
      ip: server.hostname ?? "",
      port: server.port ?? 0,
      secure: tls !== undefined,
    });
  }

  stop(): Promise<void> {
    const stopping = this.#server?.stop(false);
    stopping?.catch((error) => this.#host.report(error));
    this.#server = null;
    return Promise.resolve();
  }

  upgrade(request: Request, info: unknown): Response | Promise<Response> {
    const server = info as BunHttpServer<BunHttpChannel>;
    const address = server.requestIP(request);
    const remote: Address = { ip: address?.address ?? "", port: address?.port ?? 0 };
    const decision = decide(this.#host, request, remote);
    if (decision instanceof Response) return decision;
    return decision instanceof Promise
      ? this.#openLater(request, server, remote, decision)
      : this.#open(request, server, remote, decision);
  }

  async #openLater(
    request: Request,
    server: BunHttpServer<BunHttpChannel>,
    remote: Address,
    decision: Promise<Decision>,
  ): Promise<Response> {
    const decided = await decision;
    return decided instanceof Response ? decided : this.#open(request, server, remote, decided);
  }

  #open(
    request: Request,
    server: BunHttpServer<BunHttpChannel>,
    remote: Address,
    { opening, answer }: Accepted,
  ): Response {
    const { headers } = request;
    // Bun would answer with the client's first offer, and serves the drafts, which are the same on the
    // wire, only by this number.
    if (answer.subprotocol === undefined) headers.delete("sec-websocket-protocol");
    if (answer.extensions.length === 0) headers.delete("sec-websocket-extensions");
    if (headers.get("sec-websocket-version") !== "13") headers.set("sec-websocket-version", "13");
    const data = new BunHttpChannel(opening, this.#host, remote);
    const added = answer.headers.length > 0 ? answer.headers : undefined;
    if (server.upgrade(request, { headers: added, data })) return this.#upgraded;
    opening.failed();
    return new Response("Cannot open a WebSocket\n", { status: 400 });
  }

  get maxPayload(): number {
    return this.#host.limits.maxRecvSize;
  }

  get websocket(): BunWebSocketHandlers<BunHttpChannel> {
    const { limits, extensions } = this.#host;
    const deflate = extensions.find((it) => it instanceof PermessageDeflate);
    const window = deflate?.options.contextTakeover ? "dedicated" : "shared";
    return {
      maxPayloadLength: this.maxPayload,
      // Ours to act on; the engine's own limit only has to lie beyond it.
      backpressureLimit: Math.min(limits.maxBufferedAmount * 2, 0x7fffffff),
      closeOnBackpressureLimit: false,
      idleTimeout: 0,
      sendPings: false,
      perMessageDeflate: deflate === undefined ? false : { compress: window, decompress: window },
      open: (socket) => socket.data.open(socket),
      message: (socket, message) => socket.data.message(message),
      ping: (socket, payload) => socket.data.pinged(payload),
      pong: (socket, payload) => socket.data.ponged(payload),
      drain: (socket) => socket.data.drained(),
      close: (socket, code, reason) => socket.data.closed(code, reason),
    };
  }
}
