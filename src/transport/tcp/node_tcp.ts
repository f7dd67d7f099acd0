import { WebSocketError } from "../../base/errors.ts";
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
import { isNodeServer, NodeListener, nodeServer } from "./node_listener.ts";
import { openUpgrade } from "./node_upgrade.ts";
import { TCP_CAPABILITIES, TCP_LISTENS } from "./tcp_capabilities.ts";

/** Raw TCP or TLS on `node:net` and `node:tls`. */
export class NodeTcpTransport implements Transport {
  static readonly capabilities: Capabilities = TCP_CAPABILITIES;
  static readonly listens: ListenAbilities = TCP_LISTENS;
  readonly #host: TransportHost;
  #listener: NodeListener | null = null;

  constructor(host: TransportHost) {
    this.#host = host;
  }

  get listener(): unknown {
    return this.#listener?.server ?? null;
  }

  async listen(options: ListenOptions): Promise<ListeningAddress> {
    const { hostname = "0.0.0.0", tls, listener: given } = options;
    if (given !== undefined && !isNodeServer(given)) {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        "Cannot listen on this: under Node `listen` takes a node:net or node:tls Server",
      );
    }
    this.#listener = new NodeListener(given ?? nodeServer(tls), this.#host, tls);
    return await this.#listener.listen({ ...options, hostname });
  }

  handleUpgrade(event: UpgradeEvent, prepared?: Prepared): void {
    openUpgrade(event, this.#host, prepared);
  }

  stop(): Promise<void> {
    this.#listener?.close();
    this.#listener = null;
    return Promise.resolve();
  }
}
