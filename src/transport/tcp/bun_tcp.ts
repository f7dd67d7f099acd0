import { WebSocketError } from "../../base/errors.ts";
import { acceptTcp } from "./accept_tcp.ts";
import { bunApi, type BunListener, type BunSocketHandlers } from "../bun_api.ts";
import { BunByteSocket, socketHandlers } from "./bun_byte_socket.ts";
import { isNodeServer, NodeListener, nodeServer } from "./node_listener.ts";
import { openUpgrade } from "./node_upgrade.ts";
import { TCP_CAPABILITIES, TCP_LISTENS } from "./tcp_capabilities.ts";
import { TlsWait } from "./tls_wait.ts";
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

/** Raw TCP or TLS on `Bun.listen`. */
export class BunTcpTransport implements Transport {
  static readonly capabilities: Capabilities = TCP_CAPABILITIES;
  static readonly listens: ListenAbilities = TCP_LISTENS;
  readonly #host: TransportHost;
  #acceptsTls = false;
  #listener: { stop(): unknown } | { close(): unknown } | null = null;

  constructor(host: TransportHost) {
    this.#host = host;
  }

  get listener(): unknown {
    return this.#listener instanceof NodeListener ? this.#listener.server : this.#listener;
  }

  async listen(options: ListenOptions): Promise<ListeningAddress> {
    const { hostname = "0.0.0.0", port, tls, path, reusePort = false, listener: given } = options;
    const more = given === undefined && tls !== undefined && moreThanCertificate(tls).length > 0;
    const byNode = more ? nodeServer(tls) : given;
    if (isNodeServer(byNode)) {
      const listener = this.#listener = new NodeListener(byNode, this.#host, tls);
      return await listener.listen({ ...options, hostname });
    }
    if (given !== undefined && typeof given !== "function") {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        "Cannot listen on this: under Bun `listen` takes a function that calls Bun.listen with the handlers it is given, or a node:net or node:tls Server",
      );
    }
    const handlers = this.#handlers();
    const how = {
      tls: tls && { cert: tls.cert, key: tls.key },
      allowHalfOpen: true,
      socket: handlers,
    };
    const listener: BunListener = given !== undefined
      ? given(handlers)
      : path !== undefined
      ? bunApi().listen({ ...how, unix: path })
      : bunApi().listen({ ...how, hostname, port, reusePort });
    if (typeof listener?.stop !== "function") {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        "Cannot listen with this: the function given as `listen` must return what Bun.listen does",
      );
    }
    this.#listener = listener;
    // deno-lint-ignore no-this-alias -- the accessor below has a `this` of its own
    const transport = this;
    return {
      ip: listener.hostname ?? listener.unix ?? "",
      port: listener.port ?? 0,
      // A listener made by the caller does not tell; the first socket of it does.
      get secure() {
        return tls !== undefined || transport.#acceptsTls;
      },
    };
  }

  handleUpgrade(event: UpgradeEvent, prepared?: Prepared): void {
    openUpgrade(event, this.#host, prepared);
  }

  stop(): Promise<void> {
    const listener = this.#listener;
    this.#listener = null;
    if (listener !== null) {
      if ("stop" in listener) listener.stop();
      else listener.close();
    }
    return Promise.resolve();
  }

  #handlers(): BunSocketHandlers<BunByteSocket> {
    const host = this.#host;
    // deno-lint-ignore no-this-alias -- the handlers below have a `this` of their own
    const transport = this;
    return {
      open(socket) {
        const accepted = socket.data = new BunByteSocket(socket);
        transport.#acceptsTls = accepted.secure;
        if (!accepted.secure) return acceptTcp(accepted, host);
        accepted.handshaking = TlsWait.begin(host, accepted.remote.ip, accepted);
        if (accepted.handshaking === undefined) accepted.destroy();
      },
      // Without this handler Bun tells of no socket before its TLS handshake, however long that takes.
      handshake({ data: accepted }, success) {
        if (!success || accepted.handshaking === undefined) return;
        accepted.handshaking.done();
        accepted.handshaking = undefined;
        acceptTcp(accepted, host);
      },
      ...socketHandlers((error) => host.report(error)),
    };
  }
}
