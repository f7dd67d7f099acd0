import { checkNumber } from "../base/option_values.ts";
import type { Outbox } from "./outbox.ts";
import type { Tuning } from "./tuning.ts";

/** The limits of one connection, which may be set while it runs. */
export interface LimitMembers {
  /**
   * The most bytes of a message that is taken, after decompression; over it: close code 1009. Setting it
   * above the server's throws ERR_UNSUPPORTED on `bun_http`, whose engine takes no more.
   */
  maxRecvSize: number;
  /** The most bytes of a message that is sent. */
  maxSendSize: number;
  /** Messages of fewer bytes are not compressed. */
  compressionThreshold: number;
  /**
   * Whether small packets are sent at once (TCP_NODELAY); default true. Turning it off throws
   * ERR_UNSUPPORTED on "http", where the runtime owns the socket.
   */
  nodelay: boolean;
}

/** Where the limits of a connection are kept. */
export interface LimitedSession {
  readonly tuning: Tuning;
  readonly outbox: Outbox;
}

/**
 * Makes the properties of {@linkcode LimitMembers}.
 *
 * @param prototype Where they go.
 * @param sessionOf Gives a connection's session.
 */
export function defineLimitMembers<C extends object>(
  prototype: C,
  sessionOf: (connection: C) => LimitedSession,
): void {
  const members: LimitMembers & ThisType<C> = {
    get maxRecvSize() {
      return sessionOf(this).tuning.maxRecvSize;
    },
    set maxRecvSize(bytes) {
      sessionOf(this).tuning.maxRecvSize = checkNumber("maxRecvSize", bytes);
    },
    get maxSendSize() {
      return sessionOf(this).outbox.maxSendSize;
    },
    set maxSendSize(bytes) {
      sessionOf(this).outbox.maxSendSize = checkNumber("maxSendSize", bytes);
    },
    get compressionThreshold() {
      return sessionOf(this).tuning.compressionThreshold;
    },
    set compressionThreshold(bytes) {
      sessionOf(this).tuning.compressionThreshold = checkNumber("compressionThreshold", bytes);
    },
    get nodelay() {
      return sessionOf(this).tuning.nodelay;
    },
    set nodelay(on) {
      sessionOf(this).tuning.nodelay = on;
    },
  };
  Object.defineProperties(prototype, Object.getOwnPropertyDescriptors(members));
}
