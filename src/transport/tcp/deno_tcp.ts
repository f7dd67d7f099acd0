import { WebSocketError } from "../../base/errors.ts";
import { ACCEPT_RETRY_MS, acceptFailure, isPeerGone } from "../accept_failure.ts";
import { acceptTcp } from "./accept_tcp.ts";
import { DenoByteSocket } from "./deno_byte_socket.ts";
import { addressOf, denoApi, type DenoConn, type DenoListener } from "../deno_api.ts";
import { isNodeServer, NodeListener } from "./node_listener.ts";
import { openUpgrade } from "./node_upgrade.ts";
import { TCP_CAPABILITIES } from "./tcp_capabilities.ts";
import type {
  Capabilities,
  ListeningAddress,
  ListenOptions,
  Transport,
  TransportHost,
  UpgradeEvent,
} from "../transport.ts";

/** Raw TCP or TLS on `Deno.listen` and `Deno.listenTls`. */
export class DenoTcpTransport implements Transport {
  static readonly capabilities: Capabilities = TCP_CAPABILITIES;
  readonly #host: TransportHost;
  #listener: { close(): unknown } | null = null;
  #accepting: Promise<void> = Promise.resolve();

  constructor(host: TransportHost) {
    this.#host = host;
  }

  get listener(): unknown {
    return this.#listener instanceof NodeListener ? this.#listener.server : this.#listener;
  }

  async listen(options: ListenOptions): Promise<ListeningAddress> {
    const { hostname, port, tls, listener: given } = options;
    if (isNodeServer(given)) {
      const listener = this.#listener = new NodeListener(given, this.#host);
      return await listener.listen(port, hostname);
    }
    if (given !== undefined && !isDenoListener(given)) {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        "Cannot listen on this: under Deno `listen` takes a Deno.Listener, a Deno.TlsListener, or a node:net or node:tls Server",
      );
    }
    const listener = given ??
      (tls
        ? denoApi().listenTls({ hostname, port, ...tls })
        : denoApi().listen({ hostname, port }));
    const secure = given === undefined
      ? tls !== undefined
      : listener.constructor.name === "TlsListener";
    this.#listener = listener;
    this.#accepting = this.#accept(listener, secure);
    return { ...addressOf(listener.addr), secure };
  }

  handleUpgrade(...event: UpgradeEvent): void {
    openUpgrade(event, this.#host);
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
      const socket = new DenoByteSocket(conn, secure);
      acceptTcp(socket, this.#host);
      socket.read().catch((error) => {
        this.#host.report(error);
        socket.destroy();
      });
    }
  }
}

function isDenoListener(listener: unknown): listener is DenoListener {
  return typeof listener === "object" && listener !== null && "accept" in listener &&
    "addr" in listener;
}
