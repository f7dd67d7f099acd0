import type { BinaryData } from "../base/bytes.ts";
import { WebSocketError } from "../base/errors.ts";
import { CloseCode } from "../protocol/mod.ts";
import { ClosedError, closeOf, type End, isInOrder } from "./closed_error.ts";
import type { Message } from "./inbox.ts";

/** A connection as streams of the web. */
export interface StreamMembers {
  /**
   * The messages that come, in place of handlers and `recv()`, of which the same holds. It is read only as
   * fast as somebody reads from it. It ends when the connection ends with 1000, 1001 or without a code, and
   * fails with a {@linkcode ClosedError} when it ends otherwise. Cancelling it ends the connection: with 1000,
   * with the `closeCode` of the error that is given, or for anything else that is given with 1011.
   *
   * Getting it throws ERR_STATE before `ready`, and on a connection that has handlers for messages.
   *
   * @example A file that comes up
   * ```ts
   * import { WebSocketServer } from "@duet/websocket";
   *
   * let size = 0;
   * const server = new WebSocketServer({
   *   onConnect: (_server, connection) =>
   *     void connection.on({
   *       async ready({ readable }) {
   *         for await (const piece of readable) size += piece.length;
   *       },
   *     }),
   * });
   * ```
   */
  readonly readable: ReadableStream<string | Uint8Array>;
  /**
   * Where messages go, a string as text. A write settles when no more than `highWaterMark` bytes wait, or
   * else once they have gone out. Closing it ends the connection with 1000, and settles when it has ended.
   * Aborting it ends the connection with the `closeCode` of the error that is given, otherwise with 1011. It
   * fails with a {@linkcode ClosedError} when the connection ends by itself.
   *
   * Getting it throws ERR_STATE before `ready`.
   *
   * @example A file that goes down
   * ```ts ignore
   * connection.on({
   *   async ready({ writable }) {
   *     const file = await Deno.open("film.webm");
   *     await file.readable.pipeTo(writable);
   *   },
   * });
   * ```
   */
  readonly writable: WritableStream<string | BinaryData>;
}

/** What the streams of a connection need of it. */
export interface StreamSession {
  readonly state: "connecting" | "ready" | "disconnecting" | "disconnected";
  /** How it has ended, once its channel is gone. */
  readonly ended: End | null;
  readonly delivery: { claimPulls(call: string): unknown; pull(): Promise<Message | null> };
  readonly outbox: {
    sendText(data: string): boolean;
    sendBinary(data: BinaryData): boolean;
    whenDrained(): Promise<void>;
  };
  /** Made when somebody asks for a stream. */
  streams: MessageStreams | null;
  disconnect(code: number, reason: string): void;
}

/** The streams of one connection. */
export class MessageStreams {
  readonly #session: StreamSession;
  readonly #gone = Promise.withResolvers<void>();
  #readable: ReadableStream<Message> | undefined;
  #writable: WritableStream<string | BinaryData> | undefined;
  #writing: WritableStreamDefaultController | undefined;

  #failure: ClosedError | undefined;

  constructor(session: StreamSession) {
    this.#session = session;
  }

  /** The channel is gone. */
  end(): void {
    this.#gone.resolve();
    // Whoever pipes what comes back to where it came from sees the end of that first.
    setTimeout(() => this.#writing?.error(this.failure), 0);
  }

  /** What streams fail with, once the channel is gone. */
  get failure(): ClosedError {
    return this.#failure ??= new ClosedError(...this.#session.ended!);
  }

  /** Messages are not kept in the stream: they wait in the inbox, where their bytes are counted. */
  get readable(): ReadableStream<Message> {
    return this.#readable ??= this.#makeReadable();
  }

  get writable(): WritableStream<string | BinaryData> {
    return this.#writable ??= this.#makeWritable();
  }

  #makeReadable(): ReadableStream<Message> {
    const session = this.#session;
    session.delivery.claimPulls("read a stream");
    return new ReadableStream({
      pull: async (controller) => {
        const message = await session.delivery.pull();
        if (message !== null) controller.enqueue(message);
        else if (isInOrder(session.ended!)) controller.close();
        else controller.error(this.failure);
      },
      cancel(cause) {
        const { NORMAL_CLOSURE, INTERNAL_ERROR } = CloseCode;
        session.disconnect(
          ...closeOf(cause, cause === undefined ? NORMAL_CLOSURE : INTERNAL_ERROR),
        );
      },
    }, { highWaterMark: 0 });
  }

  #makeWritable(): WritableStream<string | BinaryData> {
    const session = this.#session;
    return new WritableStream({
      start: (controller) => {
        this.#writing = controller;
        if (session.ended !== null) this.end();
      },
      write: async (chunk) => {
        if (session.state === "ready") {
          const { outbox } = session;
          if (typeof chunk === "string" ? outbox.sendText(chunk) : outbox.sendBinary(chunk)) return;
          await outbox.whenDrained();
        }
        if (session.state === "ready") return;
        // What had not gone out before the end never will.
        await this.#gone.promise;
        throw this.failure;
      },
      close: async () => {
        session.disconnect(CloseCode.NORMAL_CLOSURE, "");
        await this.#gone.promise;
        if (!isInOrder(session.ended!)) throw this.failure;
      },
      abort(cause) {
        session.disconnect(...closeOf(cause, CloseCode.INTERNAL_ERROR));
      },
    });
  }
}

/**
 * Makes the members of {@linkcode StreamMembers}.
 *
 * @param prototype Where they go.
 * @param sessionOf Gives a connection's session.
 */
export function defineStreamMembers<C extends object>(
  prototype: C,
  sessionOf: (connection: C) => StreamSession,
): void {
  const streamsOf = (connection: C): MessageStreams => {
    const session = sessionOf(connection);
    if (session.state !== "connecting") return session.streams ??= new MessageStreams(session);
    throw new WebSocketError(
      "ERR_STATE",
      "Cannot give a stream: the connection is not open. Ask for it from the ready event on",
    );
  };
  const members: StreamMembers & ThisType<C> = {
    get readable() {
      return streamsOf(this).readable;
    },
    get writable() {
      return streamsOf(this).writable;
    },
  };
  Object.defineProperties(prototype, Object.getOwnPropertyDescriptors(members));
}
