import type { WebSocketConnection } from "../connection/connection.ts";
import { frameLog } from "../connection/frame_log.ts";
import { WatchedStreams } from "../streams/watched_streams.ts";
import { selectTransport } from "../transport/select.ts";
import type { ListeningKind, Transport, TransportHost } from "../transport/transport.ts";
import { ConnectionList } from "./connection_list.ts";
import { Diagnostics } from "./diagnostics.ts";
import { Listeners } from "./listeners.ts";
import { Lifecycle } from "./lifecycle.ts";
import type { Endpoint } from "./opening.ts";
import type { OptionsOf } from "./options.ts";
import { Reports } from "./reports.ts";
import { Requests } from "./requests.ts";
import { Roster } from "./roster.ts";
import { Routes } from "./routes.ts";
import { checkSupported, readGiven, readSettings, type Settings } from "./settings.ts";
import { Topics } from "./topics.ts";

/** What a server is made of. */
export interface Parts<S, C extends WebSocketConnection> {
  readonly settings: Settings<S, C>;
  readonly reports: Reports<S, C>;
  readonly roster: Roster<C>;
  readonly kind: ListeningKind;
  readonly transport: Transport;
  readonly listeners: Listeners;
  readonly lifecycle: Lifecycle<S, C>;
  readonly diagnostics: Diagnostics;
  readonly streams: WatchedStreams;
  readonly topics: Topics<S, C>;
  readonly routes: Routes<S, C>;
  /** Who serves a path of its own, in a protocol on top of WebSocket. */
  readonly endpoints: Map<string, Endpoint>;
  /** What `connections` gives. */
  readonly list: ConnectionList<C>;
}

/**
 * Puts a server together.
 *
 * @param server What handlers are given.
 * @param options What to serve and how.
 * @returns Its parts.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for an invalid option, ERR_UNSUPPORTED for what the
 * transport or the runtime cannot do.
 */
export function assemble<S, C extends WebSocketConnection>(
  server: S,
  options: OptionsOf<S, C>,
): Parts<S, C> {
  const given = readGiven(options);
  const settings = readSettings(given);
  const kind = selectTransport(settings.transport);
  checkSupported(given, settings, kind);
  const stopping = new AbortController();
  const diagnostics = new Diagnostics(server);
  const reports = new Reports(server, settings, diagnostics);
  const roster = new Roster<C>(settings);
  const requests = new Requests(settings, reports, stopping.signal);
  const streams = new WatchedStreams({
    server,
    warn: (message) => reports.log.warn(message),
    report: (error) => reports.report(error),
  });
  streams.readables.add(settings.watchReadable);
  streams.writables.add(settings.watchWritable);
  const topics = new Topics({ server, settings, reports });
  const trace = frameLog(reports.log);
  const host: TransportHost = {
    limits: settings,
    // These two may be set while it runs.
    get extensions() {
      return settings.extensions;
    },
    get trace() {
      return settings.debug < 4 ? null : trace;
    },
    servesRequests: settings.onRequest !== undefined,
    proxies: settings.proxyProtocol ? settings.trustProxy : undefined,
    accept: (peer) => routes.accept(peer),
    left: (peer) => routes.left(peer),
    reserve: (ip, peer) => roster.reserve(ip, peer),
    request: (request, info) => requests.serve(request, info),
    report: (error) => reports.report(error),
    refused: (remote, status, reason) => diagnostics.refused(remote, status, reason),
    traffic: diagnostics.counts.traffic,
  };
  const transport = kind.make(host);
  const endpoints = new Map<string, Endpoint>();
  const parts = {
    server,
    settings,
    reports,
    roster,
    requests,
    transport,
    host,
    kind,
    hub: topics.hub,
  };
  const routes = new Routes({ ...parts, endpoints, diagnostics, stopping: stopping.signal });
  const listeners = new Listeners(() => kind.make(host));
  const lifecycle = new Lifecycle({ ...parts, listeners, streams, stopping });
  const list = new ConnectionList(roster.ready);
  const own = { settings, reports, roster, kind, transport, listeners, lifecycle, diagnostics };
  return { ...own, streams, topics, routes, endpoints, list };
}
