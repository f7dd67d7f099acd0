import { createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { WebSocketError } from "../../base/errors.ts";
import type {
  Capabilities,
  ListeningAddress,
  ListenOptions,
  Transport,
  TransportHost,
  UpgradeEvent,
} from "../transport.ts";
import { isNodeServer, NodeListener } from "./node_listener.ts";
import { checkCertificate } from "./node_tls.ts";
import { openUpgrade } from "./node_upgrade.ts";
import { TCP_CAPABILITIES } from "./tcp_capabilities.ts";

/** Raw TCP or TLS on `node:net` and `node:tls`. */
export class NodeTcpTransport implements Transport {
  static readonly capabilities: Capabilities = TCP_CAPABILITIES;
  readonly #host: TransportHost;
  #listener: NodeListener | null = null;

  constructor(host: TransportHost) {
    this.#host = host;
  }

  get listener(): unknown {
    return this.#listener?.server ?? null;
  }

  async listen(options: ListenOptions): Promise<ListeningAddress> {
    const { hostname = "0.0.0.0", port, tls, listener: given } = options;
    if (given !== undefined && !isNodeServer(given)) {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        "Cannot listen on this: under Node `listen` takes a node:net or node:tls Server",
      );
    }
    const server = given ?? (tls ? createTlsServer({ ...checkCertificate(tls) }) : createServer());
    this.#listener = new NodeListener(server, this.#host);
    return await this.#listener.listen(port, hostname);
  }

  handleUpgrade(...event: UpgradeEvent): void {
    openUpgrade(event, this.#host);
  }

  stop(): Promise<void> {
    this.#listener?.close();
    this.#listener = null;
    return Promise.resolve();
  }
}
