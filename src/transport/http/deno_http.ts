import { ACCEPT_RETRY_MS, acceptFailure } from "../accept_failure.ts";
import { addressOf, denoApi, type DenoHttpServer, type DenoServeInfo } from "../deno_api.ts";
import type {
  Address,
  Capabilities,
  ListeningAddress,
  ListenOptions,
  Transport,
  TransportHost,
} from "../transport.ts";
import { DenoHttpChannel } from "./deno_http_channel.ts";
import { type Accepted, decide, type Decision } from "./http_upgrade.ts";

/** `Deno.serve` with `Deno.upgradeWebSocket`. */
export class DenoHttpTransport implements Transport {
  static readonly capabilities: Capabilities = {
    compression: false,
    extensions: false,
    ping: false,
    enginePongs: true,
    pause: false,
    socket: false,
    mount: true,
  };
  readonly #host: TransportHost;
  #server: DenoHttpServer | null = null;
  #stopped = false;

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
    const { hostname, port, tls } = options;
    const server = denoApi().serve(
      {
        hostname,
        port,
        ...tls,
        onListen: () => {},
        onError: (error) => {
          this.#host.report(error);
          return new Response("Internal Server Error\n", { status: 500 });
        },
      },
      (request, info) => this.#stopped ? unavailable() : this.upgrade(request, info),
    );
    this.#server = server;
    server.finished.catch((error) => {
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

  async end(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    try {
      await server?.shutdown();
    } catch (error) {
      this.#host.report(error);
    }
  }

  upgrade(request: Request, info: unknown): Response | Promise<Response> {
    const { remoteAddr, completed } = info as DenoServeInfo;
    const remote = addressOf(remoteAddr);
    const decision = decide(this.#host, request, remote);
    if (decision instanceof Response) return decision;
    return decision instanceof Promise
      ? this.#openLater(request, completed, remote, decision)
      : this.#open(request, completed, remote, decision);
  }

  async #openLater(
    request: Request,
    completed: Promise<void> | undefined,
    remote: Address,
    decision: Promise<Decision>,
  ): Promise<Response> {
    const decided = await decision;
    return decided instanceof Response ? decided : this.#open(request, completed, remote, decided);
  }

  #open(
    request: Request,
    completed: Promise<void> | undefined,
    remote: Address,
    { opening, answer }: Accepted,
  ): Response {
    try {
      const { socket, response } = denoApi().upgradeWebSocket(request, {
        idleTimeout: this.#host.limits.silenceMax,
      });
      // The subprotocol too: Deno's own option for it fails when an offer has no blank after the comma.
      for (const [name, value] of answer.headers) response.headers.append(name, value);
      const channel = new DenoHttpChannel(socket, opening, this.#host, remote);
      const answered = () => channel.answered();
      completed?.then(answered, answered);
      return response;
    } catch (error) {
      opening.failed();
      this.#host.report(error);
      return new Response("Cannot open a WebSocket\n", { status: 400 });
    }
  }
}

function unavailable(): Response {
  return new Response("Cannot serve requests any more: shutting down\n", { status: 503 });
}
