import { Buffer } from "node:buffer";
import {
  formatResponseHead,
  HttpError,
  isUpgradeRequest,
  openingResponse,
  type RequestHead,
  RequestHeadParser,
  requestUrl,
} from "../../protocol/mod.ts";
import type { ByteSink, ByteSocket } from "./byte_socket.ts";
import { cancelDeadline, type Expiring, startDeadline } from "../deadlines.ts";
import { FrameChannel } from "./frame_channel.ts";
import { Lingering } from "./lingering.ts";
import type { Answer, Opening, Peer, Refusal, TransportHost } from "../transport.ts";

/**
 * Takes care of a raw socket from its accept to its answer: reads the request head, lets the server
 * decide, and hands over to a {@linkcode FrameChannel}, or answers with a plain HTTP response.
 *
 * @param socket The socket that was accepted; nothing of a request has been read from it.
 * @param host The server.
 * @param peer Who is at its other end.
 */
export function openTcp(socket: ByteSocket, host: TransportHost, peer: Peer = socket): void {
  new TcpOpening(socket, host, peer).begin();
}

class TcpOpening implements ByteSink, Expiring {
  readonly #socket: ByteSocket;
  readonly #host: TransportHost;
  readonly #peer: Peer;
  readonly #parser: RequestHeadParser;
  #opening: Opening | null = null;
  // What has come while nothing could be read: before the accept or during the answer is decided.
  #held: readonly Uint8Array[] = NONE;
  #reading = false;
  // Set when the answer has been given that is the last.
  #lingering: Lingering | null = null;
  #gone = false;
  // Set when a channel has taken over: whether it wants to read on at once.
  #handedOver: boolean | undefined;
  #deadline = 0;

  constructor(socket: ByteSocket, host: TransportHost, peer: Peer) {
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
      this.#drop();
      return;
    }
    this.#opening = opening;
    if (this.#gone) opening.failed();
    else {
      this.#reading = true;
      this.#readHeld();
    }
  }

  #readHeld(): void {
    const held = this.#held;
    if (held.length === 0) return;
    this.#held = NONE;
    for (const chunk of held) this.#push(chunk);
    if (this.#held.length === 0) this.#socket.resume();
  }

  data(chunk: Uint8Array): boolean {
    if (this.#lingering !== null) {
      this.#lingering.take(chunk.length);
      return true;
    }
    if (!this.#reading) {
      this.#held = [...this.#held, chunk];
      return false;
    }
    this.#push(chunk);
    return this.#handedOver ?? this.#held.length === 0;
  }

  written(): void {
    this.#socket.closeWrite();
  }

  end(): void {
    this.#drop();
  }

  closed(): void {
    this.#gone = true;
    this.#cancelDeadline();
    this.#opening?.failed();
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
    if (this.#lingering !== null) this.#drop();
    else this.#refuse(new HttpError(408, "Cannot wait longer for the request"));
  }

  #drop(): void {
    this.#socket.destroy();
  }

  #push(chunk: Uint8Array): void {
    try {
      const head = this.#parser.push(chunk);
      if (head === undefined) return;
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
    this.#reply(head, await answer);
  }

  #reply(head: RequestHead, answer: Answer): void {
    if (this.#gone) return;
    if (answer.status === 0) {
      this.#drop();
    } else if ("extensions" in answer) {
      const response = openingResponse(head.get("sec-websocket-key")!, answer.headers);
      head.compact();
      const opening = this.#opening!;
      const channel = new FrameChannel(this.#socket, opening, this.#host, answer.extensions);
      this.#socket.sink = channel;
      const rest = this.#held[0] ?? NOTHING;
      this.#handedOver = channel.start(latin1(response), opening, rest);
      if (rest.length > 0 && this.#handedOver) this.#socket.resume();
    } else if ("body" in answer) {
      this.#end(answer.status, answer.headers, answer.body);
    }
  }

  async #respond(head: RequestHead): Promise<void> {
    try {
      await this.#tryToRespond(head);
    } catch (error) {
      this.#refuse(error);
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
    const response = await this.#host.request(request, { remote: this.#peer.remote });
    const body = new Uint8Array(await response.arrayBuffer());
    const headers = [...response.headers].filter(([name]) => !HOP_BY_HOP.has(name));
    this.#end(response.status, headers, body, head.method === "HEAD");
  }

  #refuse(error: unknown): void {
    if (this.#gone || this.#lingering !== null) return;
    if (error instanceof HttpError) {
      this.#end(error.status, Object.entries(error.headers), error.message + "\n");
    } else {
      this.#host.report(error);
      this.#end(500, [], "Internal Server Error\n");
    }
  }

  /** Answers and closes; what the peer still sends is read and dropped until it has closed too. */
  #end(
    status: number,
    headers: [name: string, value: string][],
    body: string | Uint8Array,
    headOnly = false,
  ): void {
    if (this.#gone) return;
    this.#lingering = new Lingering(this.#socket);
    this.#reading = false;
    this.#cancelDeadline();
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const fields: [string, string][] = [...headers];
    if (
      typeof body === "string" && !fields.some(([name]) => name.toLowerCase() === "content-type")
    ) {
      fields.push(["Content-Type", "text/plain; charset=utf-8"]);
    }
    fields.push(["Content-Length", String(bytes.length)]);
    if (!fields.some(([name]) => name.toLowerCase() === "connection")) {
      fields.push(["Connection", "close"]);
    }
    const head = latin1(formatResponseHead(status, fields));
    const response = new Uint8Array(head.length + (headOnly ? 0 : bytes.length));
    response.set(head);
    if (!headOnly) response.set(bytes, head.length);
    this.#startDeadline(this.#host.limits.closeTimeout);
    if (this.#socket.write(response)) this.#socket.closeWrite();
    this.#held = NONE;
    this.#socket.resume();
  }
}

const NOTHING = new Uint8Array(0);
const NONE: readonly Uint8Array[] = [];
/** Fields that speak of the connection (RFC 9110 §7.6.1) or of the framing, which are ours to set. */
const HOP_BY_HOP = new Set(["connection", "keep-alive", "transfer-encoding", "content-length"]);

function latin1(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}
