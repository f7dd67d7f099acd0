import { WebSocketError } from "../base/errors.ts";
import { currentRuntime } from "./runtime.ts";
import type {
  ListeningKind,
  Transport,
  TransportClass,
  TransportHost,
  TransportName,
} from "./transport.ts";

const classes = new Map<TransportName, TransportClass>();

/** A transport that has not been made. */
export interface SelectedTransport extends ListeningKind {
  /** Makes it. */
  make(host: TransportHost): Transport;
}

/**
 * Makes a transport available; each entry point of the package does so for those it brings.
 *
 * @param name The transport's name.
 * @param transport Its class.
 */
export function provideTransport(name: TransportName, transport: TransportClass): void {
  classes.set(name, transport);
}

/**
 * Finds the transport for these options on this runtime.
 *
 * @param kind How bytes are to reach us.
 * @returns The transport, which is still to be made.
 * @throws {WebSocketError} ERR_UNSUPPORTED when this runtime, or this entry point, has none.
 */
export function selectTransport(kind: "http" | "tcp"): SelectedTransport {
  const runtime = currentRuntime();
  if (runtime === undefined) {
    throw new WebSocketError(
      "ERR_UNSUPPORTED",
      "Cannot serve WebSockets on this runtime: use Deno, Bun or Node",
    );
  }
  const name: TransportName = `${runtime}_${kind}`;
  const Transport = classes.get(name);
  if (Transport === undefined) {
    throw new WebSocketError(
      "ERR_UNSUPPORTED",
      `Cannot serve "${kind}" on this runtime with this import: use "@duet/websocket"`,
    );
  }
  const { capabilities, listens } = Transport;
  return { name, capabilities, listens, make: (host) => new Transport(host) };
}
