import { handlerError, WebSocketError } from "../base/errors.ts";
import { isThenable } from "../base/thenable.ts";
import { sessionOf, WebSocketConnection } from "../connection/connection.ts";
import type { ConnectionInit } from "../connection/connection_init.ts";
import { concurrency } from "../connection/option_readers.ts";
import type { ConnectionHandlers } from "../connection/handlers.ts";
import type { ConnectionHost } from "../connection/session.ts";
import type { Opening, Peer, Refusal, Transport, TransportKind } from "../transport/transport.ts";
import type { Hub } from "../topics/hub.ts";
import type { Diagnostics } from "./diagnostics.ts";
import { type Endpoint, type OpeningHost, ServerOpening } from "./opening.ts";
import { GAVE_UP, waitFor } from "./patience.ts";
import { placeOf, type Reports } from "./reports.ts";
import type { Requests } from "./requests.ts";
import type { Roster } from "./roster.ts";
import type { AnyRouteParams } from "./route_params.ts";
import type { Settings } from "./settings.ts";

/** What every accepted connection object must have, as the reference demands. */
const REQUIRED_MEMBERS = ["error", "isReady", "recv", "send"];

/** What an admission needs of the server. */
export interface AdmissionParts<S, C extends WebSocketConnection> {
  readonly server: S;
  readonly settings: Settings<S, C>;
  readonly roster: Roster<C>;
  readonly reports: Reports<S, C>;
  readonly requests: Requests<S, C>;
  readonly transport: Transport;
  readonly kind: TransportKind;
  readonly hub: Hub;
  readonly diagnostics: Diagnostics;
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  /** Aborted once nobody is let in any more. */
  readonly stopping: AbortSignal;
  /** What connections have before `onConnect` is called. */
  readonly handlers?: ConnectionHandlers<unknown>;
}

/** Takes peers in: each gets a seat, a connection object and its opening handshake, or is turned away. */
export class Admission<S, C extends WebSocketConnection> {
  readonly #parts: AdmissionParts<S, C>;
  readonly #connectionHost: ConnectionHost;
  readonly #openingHost: OpeningHost;
  // What ends the waiting for a handler, by the peer for which it is at work.
  readonly #waiting = new Map<Peer, AbortController>();

  constructor(parts: AdmissionParts<S, C>) {
    this.#parts = parts;
    this.#connectionHost = connectionHost(parts);
    this.#openingHost = openingHost(parts);
    parts.stopping.addEventListener("abort", () => {
      for (const peer of [...this.#waiting.keys()]) this.left(peer);
    });
  }

  /** A peer has left while a handler is at work for it. */
  left(peer: Peer): void {
    this.#waiting.get(peer)?.abort();
  }

  /** Waits for a handler while the peer is there and anybody is let in. */
  async #wait<T>(
    peer: Peer,
    result: PromiseLike<T>,
    tell: (error: unknown) => void,
  ): Promise<T | typeof GAVE_UP> {
    const waiting = new AbortController();
    this.#waiting.set(peer, waiting);
    // The handler itself may have had the server shut down.
    if (this.#parts.stopping.aborted) waiting.abort();
    try {
      return await waitFor(result, { until: waiting.signal }, tell);
    } finally {
      this.#waiting.delete(peer);
    }
  }

  /** A peer has come, by a route with these parameters. */
  accept(peer: Peer, params?: AnyRouteParams): Opening | Refusal | Promise<Opening | Refusal> {
    const { settings, roster, stopping } = this.#parts;
    if (stopping.aborted) return 503;
    if (!roster.join(peer, peer.remote.ip)) return this.#turnAway(peer);
    const init = this.#init(peer);
    try {
      const made = settings.onAccept?.(init);
      if (isThenable(made)) return this.#acceptLater(peer, made, init, params);
      return this.#connect(peer, made ?? new settings.connectionClass(init), params);
    } catch (error) {
      return this.#notAccepted(peer, error);
    }
  }

  async #acceptLater(
    peer: Peer,
    made: PromiseLike<unknown>,
    init: ConnectionInit<S>,
    params: AnyRouteParams | undefined,
  ): Promise<Opening | Refusal> {
    const { settings, stopping, reports } = this.#parts;
    try {
      const tell = (error: unknown) => reports.report(handlerError("onAccept", error));
      const connection = await this.#wait(peer, made, tell);
      if (connection !== GAVE_UP && !stopping.aborted) {
        const made = connection ?? new settings.connectionClass(init);
        return await this.#connect(peer, made, params);
      }
    } catch (error) {
      return this.#notAccepted(peer, error);
    }
    this.#parts.roster.leave(peer);
    return 503;
  }

  #notAccepted(peer: Peer, error: unknown): Refusal {
    this.#parts.roster.leave(peer);
    this.#parts.reports.report(handlerError("onAccept", error));
    return 500;
  }

  #init({ native }: Peer): ConnectionInit<S> {
    const { server, settings } = this.#parts;
    return { server, socket: native, subprotocol: settings.subprotocol };
  }

  #connect(
    peer: Peer,
    made: unknown,
    params: AnyRouteParams | undefined,
  ): Opening | Refusal | Promise<Opening | Refusal> {
    const { server, settings, roster, handlers } = this.#parts;
    const connection = checkConnection(made) as C;
    const session = sessionOf(connection);
    session.attach(this.#connectionHost, peer);
    if (params !== undefined) session.params = params;
    if (handlers !== undefined) session.on(handlers);
    // A setter of a subclass may throw: then the peer still has its own seat to give back.
    if (peer.prepared?.data !== undefined) connection.data = peer.prepared.data;
    roster.seat(peer, connection);
    const opening = new ServerOpening(this.#openingHost, session, peer.prepared);
    try {
      const result = settings.onConnect?.(server, connection);
      return isThenable(result)
        ? this.#welcomeLater(peer, opening, connection, result)
        : welcome(opening, result);
    } catch (error) {
      return this.#notConnected(opening, connection, error);
    }
  }

  async #welcomeLater(
    peer: Peer,
    opening: ServerOpening,
    connection: C,
    result: PromiseLike<unknown>,
  ): Promise<Opening | Refusal> {
    const { reports } = this.#parts;
    try {
      const tell = (error: unknown) => reports.report(handlerError("onConnect", error), connection);
      const settled = await this.#wait(peer, result, tell);
      if (settled !== GAVE_UP) return welcome(opening, settled);
    } catch (error) {
      return this.#notConnected(opening, connection, error);
    }
    opening.failed();
    return 503;
  }

  #notConnected(opening: ServerOpening, connection: C, error: unknown): Refusal {
    this.#parts.reports.report(handlerError("onConnect", error), connection);
    opening.failed();
    return 500;
  }

  /** A peer has come with a plain request: a page can be had without a seat too, and no handler hears of it. */
  serve(peer: Peer): Opening | Refusal {
    return this.#turnAway(peer);
  }

  /** There is no seat: the request is answered so, and no handler hears of it. */
  #turnAway(peer: Peer): Opening | Refusal {
    const connection = new WebSocketConnection(this.#init(peer));
    if (!this.#parts.roster.wait(connection, peer.remote.ip)) return 503;
    const session = sessionOf(connection);
    session.attach(this.#connectionHost, peer);
    return new ServerOpening(this.#openingHost, session, undefined, true);
  }
}

/** The server as its connections see it: values beside each other, since they are read for every message. */
function connectionHost<S, C extends WebSocketConnection>(
  { settings, roster, reports, transport, kind, hub, diagnostics }: AdmissionParts<S, C>,
): ConnectionHost {
  const { log } = reports;
  return {
    maxRecvSize: settings.maxRecvSize,
    maxSendSize: settings.maxSendSize,
    highWaterMark: settings.highWaterMark,
    maxBufferedAmount: settings.maxBufferedAmount,
    maxConcurrentMessages: concurrency(settings),
    // Of these only this one may be changed; it is read once for each connection.
    get compressionThreshold() {
      return settings.compressionThreshold;
    },
    closeTimeout: settings.closeTimeout,
    transport: {
      name: kind.name,
      capabilities: kind.capabilities,
      get maxPayload() {
        return transport.maxPayload;
      },
    },
    topics: hub,
    traffic: diagnostics.counts.traffic,
    opened(opened) {
      const connection = opened as C;
      roster.ready.add(connection);
      diagnostics.opened(connection);
      if (log.level >= 3) log.info(`${placeOf(connection)} is connected`);
    },
    closed(closed, code, reason) {
      const connection = closed as C;
      if (roster.ready.has(connection)) diagnostics.closed(connection, code, reason);
      roster.leave(connection);
      if (log.level >= 3) log.info(`${placeOf(connection)} has left`);
    },
    slow: (connection, dropped) => diagnostics.slow(connection as C, dropped),
    report: (error, connection) => reports.report(error, connection),
    warn: (message, connection) => log.warn(`${placeOf(connection as C)}: ${message}`),
  };
}

function openingHost<S, C extends WebSocketConnection>(
  { settings, roster, reports, requests, endpoints, kind, stopping }: AdmissionParts<S, C>,
): OpeningHost {
  return {
    settings,
    endpoints,
    engineExtends: !kind.capabilities.extensions,
    stopping,
    locate: (connection, ip) => roster.locate(connection, ip),
    serve(connection, request, info) {
      roster.serve(connection);
      return requests.serve(request, info);
    },
    report: (error, connection) => reports.report(error, connection),
  };
}

/** What `onConnect` has decided. */
function welcome(opening: ServerOpening, result: unknown): Opening | Refusal {
  const refused = result === false || result === 0 || result === "";
  if (!refused && !opening.aborted) return opening;
  opening.failed();
  return 403;
}

function checkConnection(made: unknown): WebSocketConnection {
  const missing = REQUIRED_MEMBERS.filter((name) =>
    typeof made !== "object" || made === null || !(name in made)
  );
  if (missing.length > 0) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      `Cannot use what onAccept returned: it lacks ${
        missing.join(", ")
      }. Return a WebSocketConnection or nothing.`,
    );
  }
  if (!(made instanceof WebSocketConnection)) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      "Cannot use what onAccept returned: it is no WebSocketConnection. Extend that class.",
    );
  }
  if (sessionOf(made).attached) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      "Cannot use what onAccept returned: it is another client's. Make a connection for each.",
    );
  }
  return made;
}
