import { WebSocketError } from "../base/errors.ts";
import { show } from "../base/option_values.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { checkEvents } from "../connection/tuning.ts";
import { HttpError } from "../protocol/mod.ts";
import type { Opening, Peer, Refusal } from "../transport/transport.ts";
import { unsupported } from "../transport/unsupported.ts";
import { Admission, type AdmissionParts } from "./admission.ts";
import { readRoute, type RouteSettings } from "./route_options.ts";
import type { AnyRouteParams } from "./route_params.ts";
import { RoutePattern } from "./route_pattern.ts";
import { RoutedOpening } from "./routed_opening.ts";
import type { Settings } from "./settings.ts";

/** One route: which paths it has, and who takes its peers in. */
interface Route<S, C extends WebSocketConnection> {
  readonly pattern: RoutePattern;
  readonly admission: Admission<S, C>;
}

/** Which admission takes a peer in: the server's, or where there are routes that of its path. */
export class Routes<S, C extends WebSocketConnection> {
  readonly #parts: AdmissionParts<S, C>;
  readonly #admission: Admission<S, C>;
  /** The closest first. */
  readonly #routes: Route<S, C>[] = [];

  constructor(parts: AdmissionParts<S, C>) {
    this.#parts = parts;
    this.#admission = new Admission(parts);
  }

  /**
   * Adds a route.
   *
   * @param path The pattern of its paths.
   * @param given Its handlers, or its options with its handlers among them.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for a pattern that is none or is there already, and for options
   * that a route cannot have; ERR_UNSUPPORTED for what the transport cannot do.
   */
  add(path: string, given: object): void {
    const pattern = new RoutePattern(path);
    const route = readRoute(given);
    if (this.#routes.some((it) => it.pattern.path === path)) {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        `Cannot route ${show(path)} twice: give one route all of its handlers`,
      );
    }
    this.#checkSupported(route);
    const { handlers, options } = route;
    // What a route leaves out is the server's, also where that is changed later.
    const settings: Settings<S, C> = Object.assign(Object.create(this.#parts.settings), options);
    this.#routes.push({
      pattern,
      admission: new Admission({ ...this.#parts, settings, handlers }),
    });
    this.#routes.sort((one, other) => one.pattern.compare(other.pattern));
  }

  #checkSupported({ handlers, options: { maxRecvSize } }: RouteSettings): void {
    const { kind, transport } = this.#parts;
    checkEvents(handlers, kind);
    const { maxPayload } = transport;
    if (maxPayload !== undefined && Number(maxRecvSize) > maxPayload) {
      const why = `its engine takes no more than the server's, which is ${maxPayload}`;
      throw unsupported(`set maxRecvSize to ${maxRecvSize} for a route`, kind.name, why);
    }
  }

  /** A peer has come. Where there are routes, its request tells who takes it in. */
  accept(peer: Peer): Opening | Refusal | Promise<Opening | Refusal> {
    if (this.#routes.length === 0) return this.#admission.accept(peer);
    const { roster, stopping } = this.#parts;
    if (stopping.aborted) return 503;
    const release = roster.reserve(peer.remote.ip, peer);
    if (release === undefined) return 503;
    let admission = this.#admission;
    return new RoutedOpening({
      release,
      serve: () => this.#admission.serve(peer),
      accept: (url) => {
        const [found, params] = this.#find(url);
        release();
        admission = found;
        return admission.accept(peer, params);
      },
      left: () => admission.left(peer),
    });
  }

  /** A peer has left before its accept was decided on. */
  left(peer: Peer): void {
    this.#admission.left(peer);
  }

  #find(url: string): [admission: Admission<S, C>, params: AnyRouteParams | undefined] {
    for (const { pattern, admission } of this.#routes) {
      const params = pattern.match(url);
      if (params !== null) return [admission, params];
    }
    // A protocol on top of WebSocket has its path whatever routes there are.
    if (this.#parts.endpoints.has(new URL(url).pathname)) return [this.#admission, undefined];
    throw new HttpError(404, "Cannot find a WebSocket at this path");
  }
}
