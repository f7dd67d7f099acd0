import { WebSocketError } from "../../base/errors.ts";
import { currentRuntime, type Runtime } from "../runtime.ts";
import type { ByteSocket } from "./byte_socket.ts";

/** How TLS is spoken with a server. */
export interface DialTls {
  /** The certificates of those who may have signed the server's, as PEM. */
  readonly ca: readonly string[] | undefined;
  /** The client's own certificate and its key, as PEM; both or none. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** The name that the server's certificate has to be for. */
  readonly servername: string;
  /** Whether a certificate that cannot be verified is refused. */
  readonly rejectUnauthorized: boolean;
}

/** An HTTP proxy that is asked to connect. */
export interface DialProxy {
  readonly hostname: string;
  readonly port: number;
  /** The value of `Proxy-Authorization`. */
  readonly authorization: string | undefined;
}

/** Where to connect to. */
export interface DialOptions {
  readonly hostname: string;
  readonly port: number;
  /** The path of a Unix socket, which takes the place of the two above. */
  readonly unix: string | undefined;
  readonly tls: DialTls | undefined;
  readonly proxy: DialProxy | undefined;
  /** Gives it up. */
  readonly signal: AbortSignal;
  /** Told of the socket, whose sink it has to set, before anything is read. */
  opened(socket: ByteSocket): void;
  /** Told of what the sink throws. */
  report(error: unknown): void;
}

/** Connects to a server with a runtime's own sockets; rejects when that fails. */
export type Dial = (options: DialOptions) => Promise<void>;

const dials = new Map<Runtime, Dial>();

/**
 * Makes a runtime's sockets available; the entry point does so for those it brings.
 *
 * @param runtime The runtime.
 * @param dial Its function.
 */
export function provideDial(runtime: Runtime, dial: Dial): void {
  dials.set(runtime, dial);
}

/**
 * Finds the function for this runtime.
 *
 * @param proxied Whether it goes by way of a proxy, for which every runtime takes Node's sockets.
 * @returns The name of its transport, and the function.
 * @throws {WebSocketError} ERR_UNSUPPORTED when there is none.
 */
export function selectDial(proxied: boolean): { name: `${Runtime}_tcp`; dial: Dial } {
  const runtime = currentRuntime();
  const dial = runtime && dials.get(proxied ? "node" : runtime);
  if (runtime === undefined || dial === undefined) {
    throw new WebSocketError(
      "ERR_UNSUPPORTED",
      "Cannot connect on this runtime: use Deno, Bun or Node, and import @duet/websocket/client",
    );
  }
  return { name: `${runtime}_tcp`, dial };
}
