import type { WebSocketConnection } from "../connection/connection.ts";
import type { Session } from "../connection/session.ts";
import { isThenable } from "../base/thenable.ts";
import type { Handshake } from "../connection/handshake.ts";
import {
  formatExtension,
  formatFields,
  HttpError,
  type NegotiatedExtension,
  negotiateExtensions,
  type OpeningHandshake,
  readOpeningHandshake,
  type RequestHead,
  versionNotServed,
} from "../protocol/mod.ts";
import { WebSocketError } from "../base/errors.ts";
import type { Settings } from "./settings.ts";
import type { Channel, LifeListener, MessageListener } from "../transport/channel.ts";
import type { Answer, Opening } from "../transport/transport.ts";

/** How long a promise of the `origin` handler may take. */
const ORIGIN_TIMEOUT_MS = 2000;

/** What an opening needs of the server. */
export interface OpeningHost {
  readonly settings: Settings<WebSocketConnection>;
  /** Whether this engine negotiates its extensions by itself. */
  readonly engineExtends: boolean;
  readonly selectSubprotocol:
    | ((offered: readonly string[], handshake: Handshake) => string | undefined)
    | undefined;
  /** Whether nobody is let in any more. */
  readonly stopping: boolean;
  /** Whether there are more connections than there may be, or more from this one's address. */
  isFull(connection: object): boolean;
  report(error: Error, connection?: object): void;
}

/** The opening handshake of one connection: runs its events and decides on the answer. */
export class ServerOpening implements Opening {
  readonly messages: MessageListener;
  readonly life: LifeListener;
  readonly #host: OpeningHost;
  readonly #session: Session;

  constructor(host: OpeningHost, session: Session) {
    this.messages = session.delivery;
    this.life = session;
    this.#host = host;
    this.#session = session;
  }

  get connection(): object {
    return this.#session.connection;
  }

  /** Whether the connection was told to end before it was open. */
  get aborted(): boolean {
    return this.#session.aborted;
  }

  opened(channel: Channel): void {
    this.#session.open(channel);
  }

  failed(): void {
    this.life.close(1006, "");
  }

  answer(head: RequestHead): Answer | Promise<Answer> {
    try {
      if (this.#session.aborted) return DROP;
      const { allowedOrigins, trustProxy } = this.#host.settings;
      if (trustProxy !== undefined) {
        this.#session.remote = trustProxy.clientOf(head, this.#session.remote);
      }
      if (this.#host.isFull(this.#session.connection)) {
        throw new HttpError(503, "Cannot take another connection: try again later", {
          "Retry-After": "10",
        });
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
      return isThenable(handled) ? this.#finishLater(opening, handled) : this.#finish(opening);
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
      await this.#negotiate(opening, await withinOriginTimeout(allowed));
      return this.#finish(opening);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  async #finishLater(opening: OpeningHandshake, handled: PromiseLike<unknown>): Promise<Answer> {
    try {
      await handled;
      return this.#finish(opening);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** Gives what the `handshake` handler gave. */
  #negotiate(opening: OpeningHandshake, allowed: unknown): unknown {
    if (allowed === false) throw wrongOrigin();
    this.#checkVersion(opening.version);
    const session = this.#session;
    session.subprotocol = this.#selectSubprotocol(opening.subprotocols);
    return session.delivery.handlers.handshake?.(session.connection, session.handshake!);
  }

  #checkVersion(version: number): void {
    const { versions } = this.#host.settings;
    for (const { number } of versions) if (number === version) return;
    throw versionNotServed(versions.map(Number));
  }

  #selectSubprotocol(offered: readonly string[]): string | undefined {
    const { selectSubprotocol, settings } = this.#host;
    if (selectSubprotocol === undefined) {
      for (const served of settings.subprotocol) if (offered.includes(served)) return served;
      return undefined;
    }
    const selected = selectSubprotocol(offered, this.#session.handshake!);
    if (selected !== undefined && !offered.includes(selected)) {
      throw new TypeError(
        `Cannot use subprotocol ${JSON.stringify(selected)}: the client did not offer it`,
      );
    }
    return selected;
  }

  #finish(opening: OpeningHandshake): Answer {
    const { knownHandshake } = this.#session;
    const rejection = knownHandshake?.rejection;
    if (rejection !== undefined) {
      formatFields(rejection.headers);
      return { status: rejection.status, headers: [...rejection.headers], body: rejection.body };
    }
    if (this.#session.aborted || this.#host.stopping) return DROP;
    const headers: [string, string][] = [];
    const { subprotocol } = this.#session;
    if (subprotocol !== undefined) headers.push(["Sec-WebSocket-Protocol", subprotocol]);
    const extensions = this.#agree(opening, headers);
    const added = knownHandshake?.added;
    if (added !== undefined) headers.push(...checkAdded(added));
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
    if (error instanceof HttpError) {
      return {
        status: error.status,
        headers: Object.entries(error.headers),
        body: `${error.message}\n`,
      };
    }
    const why = error instanceof Error ? error.message : String(error);
    this.#host.report(
      new WebSocketError("ERR_HANDLER", `The opening handshake failed: ${why}`, error),
      this.#session.connection,
    );
    return { status: 500, headers: [], body: "Internal Server Error\n" };
  }
}

/** What handlers have put on the answer, once it is sure to be theirs to put there. */
function checkAdded(added: Headers): [name: string, value: string][] {
  const headers = [...added];
  // `Headers` lets control characters pass, and not every engine refuses them: this throws.
  formatFields(headers);
  for (const [name] of headers) {
    if (/^(?:upgrade|connection|sec-websocket-.*)$/.test(name)) {
      throw new TypeError(`Cannot add the header field "${name}": it is the protocol's own`);
    }
  }
  return headers;
}

const NO_EXTENSIONS: readonly NegotiatedExtension[] = [];
const WINDOW = "server_max_window_bits";
const DROP: Answer = { status: 0 };

function wrongOrigin(): HttpError {
  return new HttpError(403, "Cannot open a WebSocket from this origin");
}

/** The origin as a URL; one that cannot be read is nobody's, as the opaque origin "null" is. */
function originUrl(origin: string | null): URL | null {
  if (origin === null) return null;
  return URL.canParse(origin) ? new URL(origin) : new URL("null:");
}

async function withinOriginTimeout(allowed: PromiseLike<unknown>): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new HttpError(408, "Cannot wait longer for a decision on the origin")),
      ORIGIN_TIMEOUT_MS,
    );
  });
  try {
    return await Promise.race([allowed, late]);
  } finally {
    clearTimeout(timer);
  }
}
