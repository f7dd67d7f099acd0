import type { SharingSession } from "../protocol/mod.ts";

/** One live peer, as a connection sees it. */
export interface Channel {
  /** What the runtime calls this connection: a socket, or its engine's WebSocket. */
  readonly native: unknown;
  /** Set whenever something comes from the peer; whoever watches for silence clears it. */
  heard: boolean;
  /** How many bytes wait to be taken by the operating system. */
  readonly bufferedAmount: number;
  /** A number that changes whenever the operating system takes something of what waits. */
  readonly progress: number;
  /** Messages below this many bytes are not compressed. */
  compressionThreshold: number;
  /** The most bytes of a message that is taken. */
  maxRecvSize: number;
  /** Sends a text message; gives what {@linkcode Channel.bufferedAmount} then is, as all of these do. */
  sendText(data: string): number;
  sendBinary(data: Uint8Array): number;
  /** Sends a message that several channels send. */
  sendShared(message: SharedMessage): number;
  ping(payload: Uint8Array): void;
  pong(payload: Uint8Array): void;
  /** Starts the closing handshake; code and reason have been checked. */
  close(code: number | undefined, reason: string): void;
  /** Drops the connection at once. */
  terminate(): void;
  /** Stops reading where that can be done; what has been read may still be told of. */
  pause(): void;
  resume(): void;
  /** Asks for one {@linkcode LifeListener.drain} when nothing waits to be sent any more. */
  notifyDrained(): void;
  setNoDelay(on: boolean): void;
}

/** Told of what comes over a channel. None of these may throw. */
export interface MessageListener {
  text(data: string): void;
  binary(data: Uint8Array): void;
  ping(payload: Uint8Array): void;
  pong(payload: Uint8Array): void;
}

/** Told of how a channel fares. None of these may throw. */
export interface LifeListener {
  /** Nothing waits to be sent any more. */
  drain(): void;
  /** Something failed, by the peer's fault where it is a ProtocolError; the channel closes itself. */
  failed(error: Error): void;
  /** Nothing can be sent any more: a closing handshake has begun, or the peer is gone. */
  closing(): void;
  /** The end, exactly once, with the code and reason of RFC 6455 §7.1.5 and §7.1.6. */
  close(code: number, reason: string): void;
}

/** Who opens a channel, and hears of what comes over it. */
export interface ChannelOpening {
  /** Told of what comes once the WebSocket is open. */
  readonly messages: MessageListener;
  /** Told of how it fares. */
  readonly life: LifeListener;
  /** The WebSocket is open. */
  opened(channel: Channel): void;
}

/** A message that goes to several channels and is encoded once for all of them. */
export interface SharedMessage {
  readonly data: string | Uint8Array;
  /** How many bytes it has. */
  readonly size: number;
  /**
   * Gives the whole frame as it goes over the wire: uncompressed, or compressed once for all connections
   * that agreed on the same. The session takes note of what its peer is sent.
   */
  frame(session: SharingSession | null): Uint8Array;
}
