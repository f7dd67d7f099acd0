import { Buffer } from "node:buffer";
import { handlerError } from "../../base/errors.ts";
import { formatResponseHead, type RequestHead, Utf8Validator } from "../../protocol/mod.ts";
import { cancelDeadline, type Expiring, startDeadline } from "../deadlines.ts";
import type { TransportHost } from "../transport.ts";
import type { ByteSink, ByteSocket } from "./byte_socket.ts";
import { Lingering } from "./lingering.ts";

/** The part of a web stream's reader that is used; the types of the two runtimes' streams clash. */
interface BodyReader {
  read(): Promise<Pulled>;
  cancel(): Promise<void>;
}

interface Pulled {
  readonly done: boolean;
  readonly value?: unknown;
}

/** An HTTP response: the last word on its connection. */
export interface HttpResponse {
  readonly status: number;
  /** All but those of the framing. */
  readonly headers: Iterable<readonly [name: string, value: string]>;
  /** A stream is pulled as fast as the peer takes it, and cancelled when the peer leaves. */
  readonly body: string | Uint8Array | { getReader(): BodyReader } | null;
}

/** Where a response goes. */
export interface HttpRecipient {
  readonly socket: ByteSocket;
  readonly host: TransportHost;
  /** What is answered, where it was understood. */
  readonly request: RequestHead | undefined;
  /** Whether the peer has ended its half of the stream. */
  readonly ended: boolean;
  /** Called once, when the socket is gone. */
  gone(): void;
}

/** The most of a body that is written at once, so that it can be seen how far the peer has read. */
const PIECE = 64 * 1024;
/** What an operating system may hold of a connection without telling how much of it has arrived. */
const HELD_BY_SYSTEM = 4 * 1024 * 1024;
/** How fast the peer may be expected to read that, in bytes a second. */
const SLOWEST = 512 * 1024;
/** The least time between two looks at how far the peer has read, in seconds. */
const SHORTEST_LOOK = 0.1;

/**
 * Whether a `Response` that is made of a text says so, as it should. Bun has only its own server say it, and
 * there nothing tells such a response from one that is made of the same text as bytes.
 */
const TELLS_TEXT = new Response("text").headers.has("content-type");

const NOTHING = new Uint8Array(0);
const LAST_CHUNK = latin1("0\r\n\r\n");

/**
 * Answers a request, and closes: what the peer still sends is read and dropped until it has closed too.
 * From now on this listens to the socket.
 *
 * @param response The response.
 * @param recipient Where it goes.
 * @throws {TypeError} When it has a status that is not final, a body in use, or a header field that cannot
 * be sent; then nothing has been.
 */
export function answerHttp(response: HttpResponse, recipient: HttpRecipient): void {
  const answer = new HttpAnswer(response, recipient);
  recipient.socket.sink = answer;
  answer.begin();
}

class HttpAnswer implements ByteSink, Expiring {
  readonly #to: HttpRecipient;
  readonly #socket: ByteSocket;
  readonly #seconds: number;
  readonly #lingering: Lingering;
  #status: number;
  #headers: (readonly [name: string, value: string])[];
  #reader: BodyReader | null = null;
  // A read of it that is under way.
  #next: Promise<Pulled> | null = null;
  // What has been pulled and not been written: a chunk, and from where on.
  #chunk: Uint8Array = NOTHING;
  #at = 0;
  // What goes out before the next byte of the body.
  #head = "";
  #chunked = false;
  // How much is still to come of a stream whose handler has told its length.
  #told: number | undefined;
  #writing = false;
  #finished = false;
  #peerEnded: boolean;
  #gone = false;
  // Since when the peer, or a body that is written to one who has ended, has made no progress.
  #since = performance.now();
  #written = 0;
  #unwritten = 0;

  constructor({ status, headers, body }: HttpResponse, to: HttpRecipient) {
    if (!(status >= 200 && status <= 599)) {
      throw new TypeError(`Cannot answer with status ${status}: it is not a final one`);
    }
    this.#to = to;
    this.#socket = to.socket;
    this.#peerEnded = to.ended;
    this.#seconds = Math.max(to.host.limits.closeTimeout, SHORTEST_LOOK);
    this.#lingering = new Lingering(to.socket);
    this.#status = status;
    this.#headers = [...headers];
    // Fails now, if at all.
    formatResponseHead(status, this.#headers);
    if (typeof body === "string") this.#setText(body);
    else if (body instanceof Uint8Array) this.#chunk = body;
    else if (body !== null) this.#reader = body.getReader();
  }

  #setText(text: string): void {
    this.#chunk = new TextEncoder().encode(text);
    this.#tellText();
  }

  /** Tells that the body is a text, where its handler has told no other type. */
  #tellText(): void {
    if (!this.#headers.some(([name]) => name.toLowerCase() === "content-type")) {
      this.#headers.push(["Content-Type", "text/plain; charset=utf-8"]);
    }
  }

  begin(): void {
    startDeadline(this, this.#seconds);
    if (this.#reader === null) this.#start(this.#chunk.length);
    else if (this.#mayHaveLength) void this.#look(this.#reader);
    else this.#start(undefined);
    this.#socket.resume();
  }

  /** Whether this is no response that has neither a length nor a body (RFC 9110 §15.3.5, §15.4.5). */
  get #mayHaveLength(): boolean {
    return this.#status !== 204 && this.#status !== 304;
  }

  get #isHead(): boolean {
    return this.#to.request?.method === "HEAD";
  }

  /** A body that is here already, as that of a handler's text is, has a length that can be told. */
  async #look(reader: BodyReader): Promise<void> {
    try {
      const waited = Symbol();
      const turn = new Promise<typeof waited>((resolve) => setTimeout(resolve, 0, waited));
      const first = await Promise.race([this.#next = reader.read(), turn]);
      if (first !== waited) {
        this.#next = null;
        if (first.done) return this.#startWhole();
        this.#chunk = bytesOf(first.value);
        if (!TELLS_TEXT && new Utf8Validator().push(this.#chunk, 0, this.#chunk.length)) {
          this.#tellText();
        }
        const second = await Promise.race([this.#next = reader.read(), turn]);
        if (second !== waited && second.done) return this.#startWhole();
      }
      // The head of a body that takes its time, as that of a stream of events does, goes out before it.
      this.#start(undefined);
    } catch (error) {
      this.#failed(error);
    }
  }

  #startWhole(): void {
    this.#reader = null;
    this.#start(this.#chunk.length);
  }

  /** Writes the head, and what there is of the body. */
  #start(length: number | undefined): void {
    if (this.#gone) return;
    const fields = this.#headers.filter(([name]) => !FRAMING.has(name.toLowerCase()));
    if (this.#mayHaveLength) fields.push(...this.#framing(length));
    if (!fields.some(([name]) => name.toLowerCase() === "connection")) {
      fields.push(["Connection", "close"]);
    }
    this.#head = formatResponseHead(this.#status, fields);
    if (this.#isHead || !this.#mayHaveLength) {
      this.#chunk = NOTHING;
      this.#cancel();
    }
    this.#count();
    this.#writeOn();
  }

  /** How the end of the body is told (RFC 9112 §6). */
  #framing(length: number | undefined): [name: string, value: string][] {
    if (length !== undefined && (length > 0 || !this.#isHead)) {
      return [["Content-Length", String(length)]];
    }
    const [, told] = this.#headers.find(([name]) => name.toLowerCase() === "content-length") ?? [];
    if (told !== undefined && /^\d{1,15}$/.test(told)) {
      this.#told = Number(told);
      return [["Content-Length", told]];
    }
    if (this.#isHead) return length === undefined ? [] : [["Content-Length", String(length)]];
    // HTTP/1.0 knows no chunks: there the body ends with the connection.
    this.#chunked = this.#to.request?.minorVersion !== 0;
    return this.#chunked ? [["Transfer-Encoding", "chunked"]] : [];
  }

  #writeOn(): void {
    while (!this.#writing && !this.#finished && !this.#gone) {
      if (this.#at < this.#chunk.length) this.#write(this.#nextPiece());
      else if (this.#head !== "") this.#write(this.#takeHead());
      else if (this.#reader !== null) return void this.#pull(this.#reader);
      else if (this.#chunked) {
        this.#chunked = false;
        this.#write(LAST_CHUNK);
      } else this.#finish();
    }
  }

  #write(bytes: Uint8Array): void {
    this.#written += bytes.length;
    this.#since = performance.now();
    if (this.#socket.write(bytes)) return;
    this.#writing = true;
    this.#unwritten = this.#socket.unwritten;
  }

  #takeHead(): Uint8Array {
    const head = latin1(this.#head);
    this.#head = "";
    return head;
  }

  #nextPiece(): Uint8Array {
    const size = Math.min(PIECE, this.#chunk.length - this.#at);
    const before = this.#head + (this.#chunked ? `${size.toString(16)}\r\n` : "");
    this.#head = "";
    const piece = new Uint8Array(before.length + size + (this.#chunked ? 2 : 0));
    piece.set(latin1(before));
    piece.set(this.#chunk.subarray(this.#at, this.#at + size), before.length);
    if (this.#chunked) piece.set(LINE_BREAK, before.length + size);
    this.#at += size;
    return piece;
  }

  async #pull(reader: BodyReader): Promise<void> {
    try {
      const next = this.#next ?? reader.read();
      this.#next = null;
      this.#took(await next);
    } catch (error) {
      this.#failed(error);
    }
  }

  #took(result: Pulled): void {
    if (this.#gone) return;
    this.#since = performance.now();
    if (result.done) {
      this.#reader = null;
      this.#chunk = NOTHING;
      if (this.#told !== undefined && this.#told > 0) throw wrongLength();
    } else {
      this.#chunk = bytesOf(result.value);
    }
    this.#at = 0;
    this.#count();
    this.#writeOn();
  }

  /** Takes a chunk off the length that was told. */
  #count(): void {
    if (this.#told !== undefined && (this.#told -= this.#chunk.length) < 0) throw wrongLength();
  }

  /** The body failed: where the head has not gone out, there is still another answer. */
  #failed(error: unknown): void {
    if (this.#gone) return;
    this.#to.host.report(handlerError("onRequest", error));
    this.#cancel(error);
    if (this.#written > 0) {
      this.#socket.destroy();
      return;
    }
    this.#status = 500;
    this.#headers = [];
    this.#chunked = false;
    this.#told = undefined;
    this.#at = 0;
    this.#setText("Internal Server Error\n");
    this.#start(this.#chunk.length);
  }

  #finish(): void {
    this.#finished = true;
    this.#since = performance.now();
    this.#socket.end();
  }

  /** Gives the body up; a stream that has failed fails once more then, with what is known. */
  #cancel(known?: unknown): void {
    const reader = this.#reader;
    this.#reader = null;
    reader?.cancel().catch((error) => {
      if (error !== known) this.#to.host.report(handlerError("onRequest", error));
    });
  }

  // What the socket tells.

  data(chunk: Uint8Array): boolean {
    this.#lingering.take(chunk.length);
    return true;
  }

  written(): void {
    this.#writing = false;
    this.#writeOn();
  }

  end(): void {
    this.#peerEnded = true;
    this.#since = performance.now();
  }

  closed(): void {
    this.#gone = true;
    cancelDeadline(this, this.#seconds);
    this.#cancel();
    this.#to.gone();
  }

  /** Looks whether the peer has made progress: a slow one is waited for, one that does nothing is not. */
  expired(): void {
    const { unwritten } = this.#socket;
    if (this.#writing && unwritten < this.#unwritten) this.#since = performance.now();
    this.#unwritten = unwritten;
    // One who has ended may have left altogether; while nothing is written, nobody can tell.
    const waits = this.#writing || this.#finished || this.#peerEnded;
    const held = this.#writing || this.#finished ? Math.min(this.#written, HELD_BY_SYSTEM) : 0;
    const allowed = this.#seconds + held / SLOWEST;
    if (waits && performance.now() - this.#since >= allowed * 1000 - 1) this.#socket.destroy();
    else startDeadline(this, this.#seconds);
  }
}

const FRAMING = new Set(["content-length", "transfer-encoding", "keep-alive"]);
const LINE_BREAK = latin1("\r\n");

function latin1(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

function bytesOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError("Cannot send a body whose stream gives something else than Uint8Array");
}

function wrongLength(): TypeError {
  return new TypeError("Cannot send the body: its length is not what Content-Length tells");
}
