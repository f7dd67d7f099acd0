import { Buffer } from "node:buffer";
import {
  HttpError,
  isUpgradeRequest,
  openingResponse,
  type RequestHead,
  RequestHeadParser,
  requestUrl,
} from "../../protocol/mod.ts";
import { handlerError } from "../../base/errors.ts";
import type { ByteSink, ByteSocket } from "./byte_socket.ts";
import { cancelDeadline, type Expiring, startDeadline } from "../deadlines.ts";
import { FrameChannel } from "./frame_channel.ts";
import { answerHttp, type HttpResponse } from "./http_answer.ts";
import {
  type Answer,
  type Opening,
  type Peer,
  reasonOf,
  type Refusal,
  type TransportHost,
} from "../transport.ts";

/**
 * Takes care of a raw socket from its accept to its answer: reads the request head, lets the server
 * decide, and hands over to a {@linkcode FrameChannel}, or answers with a plain HTTP response.
 *
 * @param socket The socket that was accepted; nothing of a request has been read from it.
 * @param host The server.
 * @param peer Who is at its other end.
 * @param spoken Whether HTTP is spoken already, so that whoever is turned away is told so.
 */
export function openTcp(
  socket: ByteSocket,
  host: TransportHost,
  peer: Peer = socket,
  spoken = false,
): void {
  new TcpOpening(socket, host, peer, spoken).begin();
}

class TcpOpening implements ByteSink, Expiring {
  readonly #socket: ByteSocket;
  readonly #host: TransportHost;
  readonly #peer: Peer;
  readonly #parser: RequestHeadParser;
  readonly #spoken: boolean;
  #opening: Opening | null = null;
  // What has come while nothing could be read: before the accept or during the answer is decided.
  #held: readonly Uint8Array[] = NONE;
  // Set when the socket waits for resume() to read on.
  #stalled = false;
  #reading = false;
  // What is answered, once it has come.
  #head: RequestHead | undefined;
  // Set while handlers decide on a WebSocket.
  #deciding = false;
  // Set when an answer has been given that is the last.
  #answered = false;
  #peerEnded = false;
  #gone = false;
  // Set when a channel has taken over: whether it wants to read on at once.
  #handedOver: boolean | undefined;
  #deadline = 0;

  constructor(socket: ByteSocket, host: TransportHost, peer: Peer, spoken: boolean) {
    this.#spoken = spoken;
    this.#socket = socket;
    this.#host = host;
    this.#peer = peer;
    const { maxHeaderSize, maxHeaderFields } = host.limits;
    this.#parser = new RequestHeadParser({ maxSize: maxHeaderSize, maxFields: maxHeaderFields });
    socket.sink = this;
  }

  begin(): void {
    this.#startDeadline(this.#host.limits.handshakeTimeout);
    const opening = this.#host.accept(this.#peer);
    if (opening instanceof Promise) void this.#acceptedLater(opening);
    else this.#accepted(opening);
  }

  async #acceptedLater(opening: Promise<Opening | Refusal>): Promise<void> {
    this.#accepted(await opening);
  }

  #accepted(opening: Opening | Refusal): void {
    if (typeof opening === "number") {
      if (this.#spoken) this.#refuse(new HttpError(opening, "Cannot take this connection"));
      else this.#dismiss(opening);
      return;
    }
    this.#opening = opening;
    if (this.#gone) opening.failed();
    else if (!this.#answered) {
      this.#reading = true;
      this.#readHeld();
    }
  }

  #readHeld(): void {
    const held = this.#held;
    if (held.length === 0) return;
    this.#held = NONE;
    for (const chunk of held) this.#push(chunk);
    // A channel that has taken over is asked whether it wants to read on.
    if (this.#handedOver === undefined && this.#held.length === 0) this.#readOn();
  }

  #readOn(): void {
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#socket.resume();
  }

  data(chunk: Uint8Array): boolean {
    if (this.#reading) this.#push(chunk);
    else this.#held = [...this.#held, chunk];
    const done = this.#handedOver ?? this.#held.length === 0;
    this.#stalled = !done;
    return done;
  }

  written(): void {}

  /** The peer has ended its half: it is answered if it has asked for something. */
  end(): void {
    this.#peerEnded = true;
    if (this.#head === undefined) this.#drop();
    else if (this.#deciding) this.#startDeadline(this.#host.limits.closeTimeout);
  }

  closed(): void {
    this.#gone = true;
    this.#held = NONE;
    this.#cancelDeadline();
    if (this.#opening === null) this.#host.left(this.#peer);
    else this.#opening.failed();
  }

  #startDeadline(seconds: number): void {
    this.#cancelDeadline();
    this.#deadline = seconds;
    startDeadline(this, seconds);
  }

  #cancelDeadline(): void {
    if (this.#deadline > 0) cancelDeadline(this, this.#deadline);
  }

  expired(): void {
    if (this.#head !== undefined) this.#drop();
    else this.#refuse(new HttpError(408, "Cannot wait longer for the request"));
  }

  #drop(): void {
    this.#socket.destroy();
  }

  #push(chunk: Uint8Array): void {
    try {
      const head = this.#parser.push(chunk);
      if (head === undefined) return;
      this.#head = head;
      this.#reading = false;
      this.#cancelDeadline();
      // The bytes behind the head stay in the transport's buffer until they can be read as frames.
      if (this.#parser.rest.length > 0) this.#held = [this.#parser.rest];
      this.#serve(head);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #serve(head: RequestHead): void {
    if (this.#host.servesRequests && !isUpgradeRequest(head)) {
      void this.#respond(head);
      return;
    }
    const answer = this.#opening!.answer(head);
    if (answer instanceof Promise) void this.#replyLater(head, answer);
    else this.#reply(head, answer);
  }

  async #replyLater(head: RequestHead, answer: Promise<Answer>): Promise<void> {
    this.#deciding = true;
    const decided = await answer;
    this.#deciding = false;
    this.#cancelDeadline();
    this.#reply(head, decided);
  }

  #reply(head: RequestHead, answer: Answer): void {
    if (this.#gone) {
      if ("response" in answer) cancelBody(answer.response);
      return;
    }
    if (answer.status === 0) {
      this.#dismiss(0);
    } else if ("extensions" in answer) {
      const response = openingResponse(head.get("sec-websocket-key")!, answer.headers);
      const opening = this.#opening!;
      const channel = new FrameChannel(this.#socket, opening, this.#host, answer.extensions);
      this.#socket.sink = channel;
      const rest = this.#takeHeld();
      this.#handedOver = channel.start(latin1(response), opening, rest);
      if (this.#handedOver) this.#readOn();
      // It has ended without a word behind its request, or else the socket would not have told yet.
      if (this.#peerEnded) channel.end();
    } else if ("body" in answer) {
      this.#host.refused(this.#peer.remote, answer.status, reasonOf(answer));
      this.#answer(answer);
    } else if ("response" in answer) {
      const { status, headers, response } = answer;
      try {
        this.#answer({ status, headers, body: response.body });
      } catch (error) {
        this.#refuse(handlerError("handshake", error));
        return;
      }
      this.#host.refused(this.#peer.remote, status, "");
    }
  }

  /** Drops a peer that gets no answer. */
  #dismiss(status: number): void {
    this.#host.refused(this.#peer.remote, status, "");
    this.#drop();
  }

  /** All that has come behind the request. */
  #takeHeld(): Uint8Array {
    const held = this.#held;
    this.#held = NONE;
    if (held.length <= 1) return held[0] ?? NOTHING;
    return Buffer.concat(held);
  }

  async #respond(head: RequestHead): Promise<void> {
    try {
      await this.#tryToRespond(head);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #tryToRespond(head: RequestHead): Promise<void> {
    if (head.method !== "GET" && head.method !== "HEAD") {
      throw new HttpError(405, "Cannot serve this method here: use GET or HEAD", {
        Allow: "GET, HEAD",
      });
    }
    const request = new Request(requestUrl(head, this.#socket.secure), {
      method: head.method,
      headers: [...head],
    });
    const response = await this.#opening!.request(request, { remote: this.#peer.remote });
    const { status, body } = response;
    if (this.#gone) {
      await body?.cancel();
      return;
    }
    // What speaks of the connection is ours to say.
    const headers = [...response.headers].filter(([name]) => name !== "connection");
    try {
      this.#answer({ status, headers, body });
    } catch (error) {
      throw handlerError("onRequest", error);
    }
  }

  /** Answers a peer that gets no WebSocket. */
  #refuse(error: unknown): void {
    if (this.#gone || this.#answered) return;
    const known = error instanceof HttpError ? error : new HttpError(500, "Internal Server Error");
    this.#host.refused(this.#peer.remote, known.status, known.message);
    this.#fail(error);
  }

  #fail(error: unknown): void {
    if (this.#gone || this.#answered) return;
    if (error instanceof HttpError) {
      const { status, headers, message } = error;
      this.#answer({ status, headers: Object.entries(headers), body: `${message}\n` });
    } else {
      this.#host.report(error);
      this.#answer({ status: 500, headers: [], body: "Internal Server Error\n" });
    }
  }

  /** Gives the last answer. */
  #answer(response: HttpResponse): void {
    if (this.#gone || this.#answered) return;
    answerHttp(response, {
      socket: this.#socket,
      host: this.#host,
      request: this.#head,
      ended: this.#peerEnded,
      gone: () => this.closed(),
    });
    this.#answered = true;
    this.#reading = false;
    this.#held = NONE;
    this.#cancelDeadline();
  }
}

/** Gives up a body that nobody will read; one that is in use is its user's. */
function cancelBody({ body }: Response): void {
  // A source that fails to stop has nobody left who waits for it.
  if (body?.locked === false) body.cancel().catch(() => {});
}

const NOTHING = new Uint8Array(0);
const NONE: readonly Uint8Array[] = [];

function latin1(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}
