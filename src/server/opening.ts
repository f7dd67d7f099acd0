import type { WebSocketConnection } from "../connection/connection.ts";
import type { Session } from "../connection/session.ts";
import { isThenable } from "../base/thenable.ts";
import {
  formatExtension,
  formatFields,
  HttpError,
  type NegotiatedExtension,
  negotiateExtensions,
  type OpeningHandshake,
  readOpeningHandshake,
  type RequestHead,
  requestUrl,
  versionNotServed,
} from "../protocol/mod.ts";
import { messageOf, WebSocketError } from "../base/errors.ts";
import type { Settings } from "./settings.ts";
import type { Channel, LifeListener, MessageListener } from "../transport/channel.ts";
import { isUsed } from "../transport/used_body.ts";
import { checkAdded } from "./prepared_upgrade.ts";
import type { Answer, Opening, Prepared, RequestInfo } from "../transport/transport.ts";
import { GAVE_UP, waitFor } from "./patience.ts";

/** How long a promise of the `origin` handler may take. */
const ORIGIN_SECONDS = 2;

/** Takes over a connection to a path of its own; gives the subprotocol, of those that were offered. */
export type Endpoint = (session: Session, offered: readonly string[]) => string | undefined;

/** What an opening needs of the server. */
export interface OpeningHost {
  readonly settings: Pick<
    Settings<unknown, WebSocketConnection>,
    | "allowedOrigins"
    | "extensions"
    | "selectSubprotocol"
    | "subprotocol"
    | "trustProxy"
    | "versions"
  >;
  /** Who serves a path of its own. */
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  /** Whether this engine negotiates its extensions by itself. */
  readonly engineExtends: boolean;
  /** Aborted once nobody is let in any more. */
  readonly stopping: AbortSignal;
  /** Counts the connection under its client's address; gives whether there may be one more of it. */
  locate(connection: object, ip: string): boolean;
  /** Serves a plain HTTP request that came over the connection's socket, which is left to it. */
  serve(connection: object, request: Request, info: RequestInfo): Promise<Response>;
  report(error: Error, connection?: object): void;
}

/** The opening handshake of one connection: runs its events and decides on the answer. */
export class ServerOpening implements Opening {
  readonly messages: MessageListener;
  readonly life: LifeListener;
  readonly #host: OpeningHost;
  readonly #session: Session;
  readonly #prepared: Prepared | undefined;
  // Whether there is no seat for it, so that it is only there to be told so.
  readonly #unseated: boolean;

  constructor(host: OpeningHost, session: Session, prepared?: Prepared, unseated = false) {
    this.messages = session.delivery;
    this.life = session;
    this.#host = host;
    this.#session = session;
    this.#prepared = prepared;
    this.#unseated = unseated;
  }

  /** Whether the connection was told to end before it was open. */
  get aborted(): boolean {
    return this.#session.aborted;
  }

  opened(channel: Channel, extended = true): void {
    if (!extended) this.#session.extensions = NO_NAMES;
    // A connection keeps its request, which is seldom looked at from now on.
    this.#session.head?.compact();
    this.#session.open(channel);
  }

  failed(): void {
    this.life.close(1006, "");
  }

  request(request: Request, info: RequestInfo): Promise<Response> {
    return this.#host.serve(this.#session.connection, request, info);
  }

  answer(head: RequestHead): Answer | Promise<Answer> {
    try {
      if (this.#session.aborted) return DROP;
      if (this.#unseated || this.#host.stopping.aborted) throw full();
      const { allowedOrigins, trustProxy } = this.#host.settings;
      if (trustProxy?.trusts(this.#session.remote)) {
        const client = trustProxy.clientOf(head, this.#session.remote);
        this.#session.remote = client;
        this.#session.secure = client.secure ?? this.#session.secure;
        if (!this.#host.locate(this.#session.connection, this.#session.remote.ip)) throw full();
      }
      const opening = readOpeningHandshake(head);
      this.#session.head = head;
      if (allowedOrigins?.allow(opening.origin) === false) throw wrongOrigin();
      const allowed = this.#session.delivery.handlers.origin?.(
        this.#session.connection,
        originUrl(opening.origin),
      );
      if (isThenable(allowed)) return this.#negotiateLater(opening, allowed);
      const handled = this.#negotiate(opening, allowed);
      return isThenable(handled)
        ? this.#finishLater(opening, handled)
        : this.#finish(opening, handled);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  // Most openings wait for nothing: promises and what they need are made in methods of their own.

  async #negotiateLater(
    opening: OpeningHandshake,
    allowed: PromiseLike<unknown>,
  ): Promise<Answer> {
    try {
      const decided = await this.#wait(allowed, ORIGIN_SECONDS);
      if (decided === GAVE_UP) {
        if (this.#host.stopping.aborted) return DROP;
        throw new HttpError(408, "Cannot wait longer for a decision on the origin");
      }
      const handled = this.#negotiate(opening, decided);
      return isThenable(handled)
        ? this.#finishLater(opening, handled)
        : this.#finish(opening, handled);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  async #finishLater(opening: OpeningHandshake, handled: PromiseLike<unknown>): Promise<Answer> {
    try {
      const given = await this.#wait(handled);
      return given === GAVE_UP ? DROP : this.#finish(opening, given);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** Waits for a handler, but not when nobody is let in any more. */
  #wait(handled: PromiseLike<unknown>, seconds?: number): Promise<unknown> {
    const { stopping } = this.#host;
    return waitFor(handled, { seconds, until: stopping }, (error) => this.#failed(error));
  }

  /** Gives what the `handshake` handler gave. */
  #negotiate(opening: OpeningHandshake, allowed: unknown): unknown {
    if (allowed === false) throw wrongOrigin();
    const session = this.#session;
    // It was told to end, or the peer has left, while the origin was decided on.
    if (session.aborted) return undefined;
    this.#checkVersion(opening.version);
    const endpoint = this.#endpoint();
    session.subprotocol = endpoint === undefined
      ? this.#selectSubprotocol(opening.subprotocols)
      : endpoint(session, opening.subprotocols);
    return session.delivery.handlers.handshake?.(session.connection, session.handshake!);
  }

  /** Who serves this path, if it is not the application. */
  #endpoint(): Endpoint | undefined {
    const { endpoints } = this.#host;
    if (endpoints.size === 0) return undefined;
    const { head, secure } = this.#session;
    return endpoints.get(new URL(requestUrl(head!, secure)).pathname);
  }

  #checkVersion(version: number): void {
    const { versions } = this.#host.settings;
    for (const { number } of versions) if (number === version) return;
    throw versionNotServed(versions.map(Number));
  }

  #selectSubprotocol(offered: readonly string[]): string | undefined {
    const { selectSubprotocol, subprotocol } = this.#host.settings;
    const prepared = this.#prepared?.subprotocol;
    if (prepared === undefined && selectSubprotocol === undefined) {
      for (const served of subprotocol) if (offered.includes(served)) return served;
      return undefined;
    }
    const selected = prepared ?? selectSubprotocol!(offered, this.#session.handshake!);
    if (selected !== undefined && !offered.includes(selected)) {
      throw new TypeError(
        `Cannot use subprotocol ${JSON.stringify(selected)}: the client did not offer it`,
      );
    }
    return selected;
  }

  /** Answers, once the `handshake` handler has given what it has to give. */
  #finish(opening: OpeningHandshake, given: unknown): Answer {
    if (given instanceof Response) return refusalBy(given);
    const { knownHandshake } = this.#session;
    const rejection = knownHandshake?.rejection;
    if (rejection !== undefined) {
      formatFields(rejection.headers);
      return { status: rejection.status, headers: [...rejection.headers], body: rejection.body };
    }
    if (this.#session.aborted || this.#host.stopping.aborted) return DROP;
    const headers: [string, string][] = [];
    const { subprotocol } = this.#session;
    if (subprotocol !== undefined) headers.push(["Sec-WebSocket-Protocol", subprotocol]);
    const extensions = this.#agree(opening, headers);
    if (this.#prepared !== undefined) headers.push(...this.#prepared.headers);
    const added = knownHandshake?.added;
    if (added !== undefined) {
      checkAdded(added);
      headers.push(...added);
    }
    return { status: 101, headers, subprotocol, extensions };
  }

  #agree(opening: OpeningHandshake, headers: [string, string][]): readonly NegotiatedExtension[] {
    const { settings, engineExtends } = this.#host;
    if (settings.extensions.length === 0 || opening.extensions.length === 0) return NO_EXTENSIONS;
    if (engineExtends) {
      // The engine has compression with the usual window only, and answers by itself.
      const served = opening.extensions.filter(({ parameters }) =>
        !parameters.some(([name, value]) => name === WINDOW && value !== "15")
      );
      const agreed = negotiateExtensions(settings.extensions, served);
      this.#session.extensions = agreed.map((it) => it.name);
      return agreed;
    }
    const agreed = negotiateExtensions(settings.extensions, opening.extensions);
    if (agreed.length > 0) {
      const elements = agreed.map(({ name, session }) =>
        formatExtension({ name, parameters: [...session.parameters] })
      );
      headers.push(["Sec-WebSocket-Extensions", elements.join(", ")]);
      this.#session.extensions = agreed.map((it) => it.name);
    }
    return agreed;
  }

  #refuse(error: unknown): Answer {
    if (error instanceof HttpError) return answerOf(error);
    if (error instanceof Response) {
      try {
        return refusalBy(error);
      } catch (mistake) {
        error = mistake;
      }
    }
    this.#failed(error);
    return { status: 500, headers: [], body: "Internal Server Error\n" };
  }

  #failed(error: unknown): void {
    const why = `The opening handshake failed: ${messageOf(error)}`;
    this.#host.report(new WebSocketError("ERR_HANDLER", why, error), this.#session.connection);
  }
}

/** The answer that a handler's `Response` is; throws for one that refuses nothing, or cannot be sent. */
function refusalBy(response: Response): Answer {
  const { status } = response;
  if (status < 300 || status > 599) {
    throw new TypeError(
      `Cannot refuse a handshake with a Response of status ${status}: use 300 to 599`,
    );
  }
  if (isUsed(response)) {
    throw new TypeError("Cannot refuse a handshake with a Response that was used: make a new one");
  }
  const headers = [...response.headers].filter(([name]) => !OURS.has(name));
  formatFields(headers);
  return { status, headers, response };
}

/** Fields that follow from the body and the connection. */
const OURS = new Set(["connection", "content-length", "keep-alive", "transfer-encoding"]);
const NO_NAMES: readonly string[] = [];
const NO_EXTENSIONS: readonly NegotiatedExtension[] = [];
const WINDOW = "server_max_window_bits";
/** Not a word. */
export const DROP: Answer = { status: 0 };

/** Answers a request that cannot be served. */
export function answerOf({ status, headers, message }: HttpError): Answer {
  return { status, headers: Object.entries(headers), body: `${message}\n` };
}

function full(): HttpError {
  return new HttpError(503, "Cannot take another connection: try again later", {
    "Retry-After": "10",
  });
}

function wrongOrigin(): HttpError {
  return new HttpError(403, "Cannot open a WebSocket from this origin");
}

/** The origin as a URL; one that cannot be read is nobody's, as the opaque origin "null" is. */
function originUrl(origin: string | null): URL | null {
  if (origin === null) return null;
  return URL.canParse(origin) ? new URL(origin) : new URL("null:");
}
