import { invalid } from "../base/option_values.ts";
import type { Channel } from "../transport/channel.ts";
import type { Transport, TransportKind } from "../transport/transport.ts";
import { unsupported } from "../transport/unsupported.ts";
import type { ConnectionHandlers } from "./handlers.ts";
import { type Outbox, UNSET } from "./outbox.ts";

/** What answers a ping. */
export type PingAnswer = (connection: unknown, payload: Uint8Array) => unknown;

/** The answer to a ping that RFC 6455 §5.5.3 asks for. */
export const DEFAULT_PONG: PingAnswer = (connection, payload) =>
  (connection as { pong(payload: Uint8Array): unknown }).pong(payload);

type Limits = Pick<Channel, "maxRecvSize" | "compressionThreshold">;

/** What a tuning needs of its connection. */
export interface TuningOwner {
  readonly connection: unknown;
  readonly attached: boolean;
  readonly outbox: Outbox;
  readonly live: Channel | null;
  readonly host: {
    readonly maxRecvSize: number;
    readonly compressionThreshold: number;
    readonly transport: TransportKind & Pick<Transport, "maxPayload">;
  };
}

/**
 * What may be set on one connection; made when somebody asks for it. A subclass may set it in its
 * constructor, before the connection has a peer: what its transport cannot do is refused then.
 */
export class Tuning {
  readonly #owner: TuningOwner;
  #doPong: PingAnswer | null = DEFAULT_PONG;
  #maxRecvSize = UNSET;
  #compressionThreshold = UNSET;
  #nodelay = true;

  constructor(owner: TuningOwner) {
    this.#owner = owner;
    if (owner.attached) this.#fill(owner.live ?? owner.host);
  }

  /** What has not been set is as it is for all connections. */
  #fill({ maxRecvSize, compressionThreshold }: Limits): void {
    if (this.#maxRecvSize === UNSET) this.#maxRecvSize = maxRecvSize;
    if (this.#compressionThreshold === UNSET) this.#compressionThreshold = compressionThreshold;
  }

  /** The connection has a peer. */
  attach(): void {
    this.#fill(this.#owner.host);
    this.#checkPong(this.#doPong);
    this.#checkNoDelay(this.#nodelay);
    this.#checkRecvSize(this.#maxRecvSize);
  }

  /** The connection's WebSocket is open. */
  apply(channel: Channel): void {
    channel.maxRecvSize = this.#maxRecvSize;
    channel.compressionThreshold = this.#compressionThreshold;
    if (!this.#nodelay) channel.setNoDelay(false);
  }

  get doPong(): PingAnswer | null {
    return this.#doPong;
  }

  set doPong(answer: PingAnswer | null) {
    if (answer !== null && typeof answer !== "function") {
      throw invalid("doPong", answer, "a function, or null for no answer");
    }
    if (this.#owner.attached) this.#checkPong(answer);
    this.#doPong = answer;
  }

  #checkPong(answer: PingAnswer | null): void {
    const { name, capabilities } = this.#owner.host.transport;
    if (capabilities.enginePongs && answer !== DEFAULT_PONG) {
      throw unsupported("set doPong", name, "its engine answers pings by itself");
    }
  }

  get maxRecvSize(): number {
    return this.#maxRecvSize;
  }

  set maxRecvSize(bytes: number) {
    if (this.#owner.attached) this.#checkRecvSize(bytes);
    this.#maxRecvSize = bytes;
    const { channel } = this.#owner.outbox;
    if (channel !== null) channel.maxRecvSize = bytes;
  }

  #checkRecvSize(bytes: number): void {
    const { name, maxPayload = Infinity } = this.#owner.host.transport;
    if (bytes > maxPayload) {
      throw unsupported(
        `set maxRecvSize to ${bytes}`,
        name,
        `its engine takes no more than the server's maxRecvSize, which is ${maxPayload}`,
      );
    }
  }

  get compressionThreshold(): number {
    return this.#compressionThreshold;
  }

  set compressionThreshold(bytes: number) {
    this.#compressionThreshold = bytes;
    const { channel } = this.#owner.outbox;
    if (channel !== null) channel.compressionThreshold = bytes;
  }

  get nodelay(): boolean {
    return this.#nodelay;
  }

  set nodelay(on: boolean) {
    if (typeof on !== "boolean") throw invalid("nodelay", on, "true or false");
    if (this.#owner.attached) this.#checkNoDelay(on);
    this.#owner.outbox.channel?.setNoDelay(on);
    this.#nodelay = on;
  }

  #checkNoDelay(on: boolean): void {
    const { name, capabilities } = this.#owner.host.transport;
    if (!on && !capabilities.socket) {
      throw unsupported("turn nodelay off", name, "the runtime owns the socket");
    }
  }
}

/**
 * Refuses handlers of events that a transport's engine keeps to itself.
 *
 * @param handlers The handlers.
 * @param transport The transport.
 * @throws {WebSocketError} ERR_UNSUPPORTED for `ping` and `pong` where they cannot come.
 */
export function checkEvents(
  handlers: ConnectionHandlers<unknown>,
  { name, capabilities }: TransportKind,
): void {
  if (capabilities.ping) return;
  for (const event of ["ping", "pong"] as const) {
    if (handlers[event] === undefined) continue;
    throw unsupported(`tell of a ${event}`, name, "its engine keeps pings and pongs to itself");
  }
}
