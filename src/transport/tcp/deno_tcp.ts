import { WebSocketError } from "../../base/errors.ts";
import { ACCEPT_RETRY_MS, acceptFailure, isPeerGone } from "../accept_failure.ts";
import { acceptTcp } from "./accept_tcp.ts";
import { DenoByteSocket } from "./deno_byte_socket.ts";
import { addressOf, denoApi, type DenoConn, type DenoListener } from "../deno_api.ts";
import { isNodeServer, NodeListener, nodeServer } from "./node_listener.ts";
import { openUpgrade } from "./node_upgrade.ts";
import { TCP_CAPABILITIES, TCP_LISTENS } from "./tcp_capabilities.ts";
import { moreThanCertificate } from "../tls_options.ts";
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

/** Raw TCP or TLS on `Deno.listen` and `Deno.listenTls`. */
export class DenoTcpTransport implements Transport {
  static readonly capabilities: Capabilities = TCP_CAPABILITIES;
  static readonly listens: ListenAbilities = TCP_LISTENS;
  readonly #host: TransportHost;
  #listener: { close(): unknown } | null = null;
  #accepting: Promise<void> = Promise.resolve();
  readonly #report = (error: unknown): void => this.#host.report(error);

  constructor(host: TransportHost) {
    this.#host = host;
  }

  get listener(): unknown {
    return this.#listener instanceof NodeListener ? this.#listener.server : this.#listener;
  }

  async listen(options: ListenOptions): Promise<ListeningAddress> {
    const { hostname, port, tls, path, listener: given } = options;
    const byNode = given === undefined && needsNode(options) ? nodeServer(tls) : given;
    if (isNodeServer(byNode)) {
      const listener = this.#listener = new NodeListener(byNode, this.#host, tls);
      return await listener.listen({ ...options, hostname: hostname ?? ANY });
    }
    if (given !== undefined && !isDenoListener(given)) {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        "Cannot listen on this: under Deno `listen` takes a Deno.Listener, a Deno.TlsListener, or a node:net or node:tls Server",
      );
    }
    const listener = given ??
      (tls !== undefined
        ? denoApi().listenTls({ hostname, port, cert: tls.cert, key: tls.key })
        : denoApi().listen(path === undefined ? { hostname, port } : { transport: "unix", path }));
    const secure = given === undefined
      ? tls !== undefined
      : listener.constructor.name === "TlsListener";
    this.#listener = listener;
    this.#accepting = this.#accept(listener, secure);
    return { ...addressOf(listener.addr), secure };
  }

  handleUpgrade(event: UpgradeEvent, prepared?: Prepared): void {
    openUpgrade(event, this.#host, prepared);
  }

  async stop(): Promise<void> {
    const listener = this.#listener;
    this.#listener = null;
    listener?.close();
    await this.#accepting;
  }

  async #accept(listener: DenoListener, secure: boolean): Promise<void> {
    let failing = false;
    while (this.#listener === listener) {
      let conn: DenoConn;
      try {
        conn = await listener.accept();
        failing = false;
      } catch (error) {
        if (this.#listener !== listener) return;
        if (isPeerGone(error)) continue;
        if (!failing) this.#host.report(acceptFailure(error));
        failing = true;
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
        continue;
      }
      const socket = new DenoByteSocket(conn, secure, this.#report);
      acceptTcp(socket, this.#host);
      socket.read();
    }
  }
}

/** As Deno listens where it is not told. */
const ANY = "0.0.0.0";

/** What Deno's own listeners cannot do; `reusePort` they have behind a flag only. */
function needsNode({ tls, path, reusePort }: ListenOptions): boolean {
  if (reusePort === true) return true;
  return tls !== undefined && (path !== undefined || moreThanCertificate(tls).length > 0);
}

function isDenoListener(listener: unknown): listener is DenoListener {
  return typeof listener === "object" && listener !== null && "accept" in listener &&
    "addr" in listener;
}
