import { messageOf, WebSocketError } from "../../base/errors.ts";
import { ACCEPT_RETRY_MS, acceptFailure } from "../accept_failure.ts";
import {
  addressOf,
  denoApi,
  type DenoHttpServer,
  type DenoServeInfo,
  type DenoUpgrade,
  remoteOf,
} from "../deno_api.ts";
import type {
  Capabilities,
  ClientAddress,
  ListenAbilities,
  ListeningAddress,
  ListenOptions,
  Prepared,
  Transport,
  TransportHost,
} from "../transport.ts";
import { DenoHttpChannel } from "./deno_http_channel.ts";
import { type Accepted, decide, type Decision } from "./http_upgrade.ts";
import { checkRequest, findInfo, mountMistake } from "./mount_mistake.ts";

/** How long bytes that Deno has been given may be on their way, in milliseconds. */
const LAST_BYTES_MS = 500;

/** `Deno.serve` with `Deno.upgradeWebSocket`. */
export class DenoHttpTransport implements Transport {
  static readonly capabilities: Capabilities = {
    compression: false,
    extensions: false,
    ping: false,
    enginePongs: true,
    pause: false,
    socket: false,
    listen: false,
    mount: true,
  };
  static readonly listens: ListenAbilities = {
    tls: [],
    tlsOnPath: false,
    reusePort: false,
    renewal: false,
  };
  readonly #host: TransportHost;
  #server: DenoHttpServer | null = null;
  // Drops everything of the server above.
  #aborter: AbortController | null = null;
  #stopped = false;
  // How many requests have come whose responses Deno has not taken whole.
  #underWay = 0;
  #answeredAll: (() => void) | null = null;

  constructor(host: TransportHost) {
    this.#host = host;
  }

  get listener(): unknown {
    return this.#server;
  }

  listen(options: ListenOptions): Promise<ListeningAddress> {
    const { addr } = this.#serve(options);
    return Promise.resolve({ ...addressOf(addr), secure: options.tls !== undefined });
  }

  #serve(options: ListenOptions): DenoHttpServer {
    const { hostname, port, tls, path } = options;
    const secure = tls !== undefined;
    const aborter = new AbortController();
    const server = denoApi().serve(
      {
        ...(path === undefined ? { hostname, port } : { path }),
        ...tls,
        signal: aborter.signal,
        onListen: () => {},
        onError: (error) => {
          this.#host.report(error);
          return new Response("Internal Server Error\n", { status: 500 });
        },
      },
      (request, info) => {
        if (this.#stopped) return unavailable();
        this.#underWay++;
        info.completed?.then(this.#completed, this.#completed);
        return this.#answer(request, info, secure);
      },
    );
    this.#server = server;
    this.#aborter = aborter;
    server.finished.catch((error) => {
      // Deno throws when a server that has finished is aborted.
      if (this.#aborter === aborter) this.#aborter = null;
      if (this.#stopped) return;
      this.#host.report(acceptFailure(error));
      void this.#serveAgain({ ...options, port: addressOf(server.addr).port });
    });
    return server;
  }

  /** Deno's server is done for once it could not accept a connection; its WebSockets live on. */
  async #serveAgain(options: ListenOptions): Promise<void> {
    for (let serving = false; !serving && !this.#stopped;) {
      await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      try {
        if (!this.#stopped) this.#serve(options);
        serving = true;
      } catch {
        // Reported before; it fails for as long as what made accepting fail does.
      }
    }
  }

  stop(): Promise<void> {
    // Deno's own shutdown would end the WebSockets too, before the server has taken leave of them.
    this.#stopped = true;
    return Promise.resolve();
  }

  /** Deno's own shutdown would wait for every request, without end, and could not be broken off. */
  async end(): Promise<void> {
    await this.#allAnswered();
    const server = this.#server;
    this.#server = null;
    if (this.#aborter === null) return;
    // What has been answered may still be on its way.
    if (this.#underWay === 0) return await this.#lastBytes(server!);
    try {
      this.#aborter.abort();
    } catch (error) {
      this.#host.report(error);
    }
  }

  /**
   * Waits for Deno's own shutdown, but not for those who stall in their TLS handshake: Deno would, for as long as
   * they like, and cannot drop them once it has begun.
   */
  async #lastBytes(server: DenoHttpServer): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, LAST_BYTES_MS);
    const down = server.shutdown().catch((error) => this.#host.report(error));
    await Promise.race([down, late.promise]);
    clearTimeout(timer);
  }

  /** Waits for the requests under way, but for no longer than `closeTimeout`. */
  async #allAnswered(): Promise<void> {
    if (this.#underWay === 0) return;
    const answered = Promise.withResolvers<void>();
    this.#answeredAll = answered.resolve;
    const timer = setTimeout(answered.resolve, this.#host.limits.closeTimeout * 1000);
    await answered.promise;
    clearTimeout(timer);
  }

  readonly #completed = (): void => {
    if (--this.#underWay === 0) this.#answeredAll?.();
  };

  async upgrade(request: Request, info: unknown, prepared: Prepared): Promise<Response> {
    checkRequest(request);
    const known = findInfo<DenoServeInfo>(info, (it) => "remoteAddr" in it);
    if (known === undefined || !tellsAddress(known)) {
      throw mountMistake(
        "`info` does not tell the client's address. Pass what Deno.serve's handler was given beside the request, once: `(request, info) => sockets.upgrade(request, info)`.",
      );
    }
    return await this.#answer(request, known, undefined, prepared);
  }

  #answer(
    request: Request,
    info: DenoServeInfo,
    secure: boolean | undefined,
    prepared?: Prepared,
  ): Response | Promise<Response> {
    const mounted = prepared !== undefined;
    const remote = remoteOf(info.remoteAddr);
    const decision = decide(this.#host, request, remote, secure, prepared);
    if (decision instanceof Response) return decision;
    return decision instanceof Promise
      ? this.#openLater(request, info, mounted, remote, decision)
      : this.#open(request, info, mounted, remote, decision);
  }

  async #openLater(
    request: Request,
    info: DenoServeInfo,
    mounted: boolean,
    remote: ClientAddress,
    decision: Promise<Decision>,
  ): Promise<Response> {
    const decided = await decision;
    return decided instanceof Response
      ? decided
      : this.#open(request, info, mounted, remote, decided);
  }

  #open(
    request: Request,
    info: DenoServeInfo,
    mounted: boolean,
    remote: ClientAddress,
    { opening, answer }: Accepted,
  ): Response {
    const { completed } = info;
    let upgrade: DenoUpgrade;
    try {
      upgrade = denoApi().upgradeWebSocket(request, {
        idleTimeout: this.#host.limits.silenceMax,
      });
      if (mounted) checkOriginal(request, info);
    } catch (error) {
      opening.failed();
      throw mounted ? mistakeOf(error) : error;
    }
    // From here on nothing may throw: Deno.serve ends for good when the response is not this one.
    const { socket, response } = upgrade;
    // The subprotocol too: Deno's own option for it fails when an offer has no blank after the comma.
    for (const [name, value] of answer.headers) response.headers.append(name, value);
    const channel = new DenoHttpChannel(socket, opening, this.#host, remote);
    const answered = () => channel.answered();
    completed?.then(answered, answered);
    return response;
  }
}

function mistakeOf(error: unknown): WebSocketError {
  if (error instanceof WebSocketError) return error;
  const why = messageOf(error);
  return mountMistake(`Deno says: ${why}. Pass each request once, as it came.`, error);
}

/** The WebSocket of a copy never opens. A copy can still be read, while Deno has taken a request that came. */
function checkOriginal(request: Request, info: DenoServeInfo): void {
  if (request.bodyUsed || !tellsAddress(info)) return;
  throw mountMistake(
    "Deno upgrades only the request that Deno.serve's handler was given, and no copy of it. Pass that one.",
  );
}

/** Deno tells the address only as long as it has not taken the request. */
function tellsAddress(info: DenoServeInfo): boolean {
  try {
    return info.remoteAddr !== undefined;
  } catch {
    return false;
  }
}

function unavailable(): Response {
  return new Response("Cannot serve requests any more: shutting down\n", { status: 503 });
}
