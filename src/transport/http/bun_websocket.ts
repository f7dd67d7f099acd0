import { WebSocketError } from "../../base/errors.ts";
import type { BunCompressor, BunServerWebSocket, BunWebSocketHandlers } from "../bun_api.ts";
import type { BunHttpChannel } from "./bun_http_channel.ts";

/** What an engine was told for good, for all WebSockets of its `Bun.serve`. */
export interface BunEngine {
  /** The most bytes of a message. */
  readonly maxPayload: number;
  /** Whether it has permessage-deflate. */
  readonly compresses: boolean;
}

/**
 * What a WebSocket of ours carries as its `data`. Frameworks such as Elysia have Bun call handlers of
 * theirs, which pass each event on to the method of that name of `data`, with the socket first: they serve
 * our WebSockets too.
 */
export class BunSocketData {
  readonly channel: BunHttpChannel;
  /** The engine's WebSocket, which it gives while it upgrades the request. */
  socket: BunServerWebSocket<unknown> | null = null;
  /** null where others' handlers were called, which do not tell. */
  engine: BunEngine | null = null;

  constructor(channel: BunHttpChannel) {
    this.channel = channel;
  }

  open(socket: BunServerWebSocket<unknown>, engine: BunEngine | null = null): void {
    this.socket = socket;
    this.engine = engine;
  }

  message(_socket: unknown, message: string | Uint8Array): void {
    this.channel.message(message);
  }

  // Elysia leaves the payloads of these two out.

  ping(_socket: unknown, payload: Uint8Array = NO_BYTES): void {
    this.channel.pinged(payload);
  }

  pong(_socket: unknown, payload: Uint8Array = NO_BYTES): void {
    this.channel.ponged(payload);
  }

  drain(): void {
    this.channel.drained();
  }

  close(_socket: unknown, code: number, reason: string): void {
    this.channel.closed(code, reason);
  }
}

const NO_BYTES = new Uint8Array();

/** Handlers of other WebSockets on the same `Bun.serve`, ours or not. */
export type OtherHandlers = Partial<BunWebSocketHandlers<unknown>>;

/** What a server needs of the engine that its WebSockets are served by. */
export interface EngineNeeds {
  readonly maxPayload: number;
  /** The compressor; false for none. */
  readonly compressor: BunCompressor | false;
}

/** What Bun takes of a message where it is not told. */
const DEFAULT_MAX_PAYLOAD = 16 * 1024 * 1024;

/** Settings that Bun has once for all WebSockets of a `Bun.serve`, and that ours must have so. */
const FIXED = {
  // Ours to act on: send() drops messages above it.
  backpressureLimit: 0x7fffffff,
  closeOnBackpressureLimit: false,
  // Silence is ours to look for.
  idleTimeout: 0,
  sendPings: false,
};

/**
 * Makes what `Bun.serve` takes as `websocket`. It serves the WebSockets of every server of ours.
 *
 * @param needs What our server needs.
 * @param others The handlers of those that are not ours.
 * @param report Told of a WebSocket that is nobody's.
 * @returns The handlers and settings.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT when the others need another setting than ours.
 */
export function bunWebSocket(
  needs: EngineNeeds,
  others: OtherHandlers | undefined,
  report: (error: WebSocketError) => void,
): BunWebSocketHandlers<unknown> {
  if (others !== undefined) checkFixed(others);
  const { compressor } = needs;
  const perMessageDeflate = compressor
    ? { compress: compressor, decompress: compressor }
    : others?.perMessageDeflate ?? false;
  const maxPayloadLength = others === undefined
    ? needs.maxPayload
    : Math.max(needs.maxPayload, others.maxPayloadLength ?? DEFAULT_MAX_PAYLOAD);
  const engine = { maxPayload: maxPayloadLength, compresses: perMessageDeflate !== false };
  return {
    ...others,
    ...FIXED,
    maxPayloadLength,
    perMessageDeflate,
    open(socket) {
      const { data } = socket;
      if (data instanceof BunSocketData) data.open(socket, engine);
      else if (others === undefined) turnAway(socket, report);
      else others.open?.(socket);
    },
    message(socket, message) {
      const { data } = socket;
      if (data instanceof BunSocketData) data.channel.message(message);
      else others?.message?.(socket, message);
    },
    ping(socket, payload) {
      const { data } = socket;
      if (data instanceof BunSocketData) data.channel.pinged(payload);
      else others?.ping?.(socket, payload);
    },
    pong(socket, payload) {
      const { data } = socket;
      if (data instanceof BunSocketData) data.channel.ponged(payload);
      else others?.pong?.(socket, payload);
    },
    drain(socket) {
      const { data } = socket;
      if (data instanceof BunSocketData) data.channel.drained();
      else others?.drain?.(socket);
    },
    close(socket, code, reason) {
      const { data } = socket;
      if (data instanceof BunSocketData) data.channel.closed(code, reason);
      else others?.close?.(socket, code, reason);
    },
  };
}

function checkFixed(others: OtherHandlers): void {
  for (const [name, value] of Object.entries(FIXED)) {
    const wanted = others[name as keyof typeof FIXED];
    if (wanted === undefined || wanted === value) continue;
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      `Cannot use ${name}: ${wanted} of these handlers: Bun.serve has one for all its WebSockets, and this server needs ${value}. Leave it out.`,
    );
  }
}

/** A WebSocket that somebody else has opened, who has left it without handlers. */
function turnAway(
  socket: BunServerWebSocket<unknown>,
  report: (error: WebSocketError) => void,
): void {
  report(
    new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      "Cannot serve a WebSocket that no server of this library has opened: closed (1011). Give its handlers to websocketWith(), and what that returns to Bun.serve.",
    ),
  );
  socket.close(1011, "");
}
