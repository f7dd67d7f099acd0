import { WebSocketError } from "../base/errors.ts";
import type { TransportFactory, TransportName } from "./transport.ts";

const factories = new Map<TransportName, TransportFactory>();

/**
 * Makes a transport available; each entry point of the package does so for those it brings.
 *
 * @param name The transport's name.
 * @param factory Makes it.
 */
export function provideTransport(name: TransportName, factory: TransportFactory): void {
  factories.set(name, factory);
}

/**
 * Finds the transport for these options on this runtime.
 *
 * @param kind How bytes are to reach us.
 * @returns What makes the transport.
 * @throws {WebSocketError} ERR_UNSUPPORTED when this runtime, or this entry point, has none.
 */
export function selectTransport(kind: "http" | "tcp"): TransportFactory {
  // Bun imitates a little of Deno and both imitate Node, so Bun is asked for first.
  const runtime = "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : undefined;
  if (runtime === undefined) {
    throw new WebSocketError(
      "ERR_UNSUPPORTED",
      "Cannot serve WebSockets on this runtime: use Deno or Bun",
    );
  }
  const factory = factories.get(`${runtime}_${kind}`);
  if (factory === undefined) {
    throw new WebSocketError(
      "ERR_UNSUPPORTED",
      `Cannot serve "${kind}" on this runtime with this import: use "@duet/websocket"`,
    );
  }
  return factory;
}
