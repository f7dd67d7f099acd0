import { handlerError, WebSocketError } from "../base/errors.ts";
import { signalOf, type WaitOptions } from "../base/signal.ts";
import { isThenable } from "../base/thenable.ts";
import { Ticker } from "../base/ticker.ts";
import { sessionOf, type WebSocketConnection } from "../connection/connection.ts";
import { Liveness } from "../connection/liveness.ts";
import { tidyDeadlines } from "../transport/deadlines.ts";
import { currentRuntime } from "../transport/runtime.ts";
import type {
  ListeningAddress,
  ListeningKind,
  ListenOptions,
  Transport,
  TransportHost,
  UpgradeEvent,
} from "../transport/transport.ts";
import { Leaving, readShutdownOptions, type ShutdownOptions } from "./leaving.ts";
import { GAVE_UP, type Patience, waitFor } from "./patience.ts";
import type { Listeners } from "./listeners.ts";
import type { Reports } from "./reports.ts";
import type { Requests } from "./requests.ts";
import type { Roster } from "./roster.ts";
import { silenceInterval } from "./option_table.ts";
import { type PreparedUpgrade, readPrepared } from "./prepared_upgrade.ts";
import type { BunWebSocketOptions } from "./options.ts";
import { checkProxyProtocol, readRenewal, type Settings } from "./settings.ts";

/** What the life of a server is made of. */
export interface LifecycleParts<S, C extends WebSocketConnection> {
  readonly server: S;
  readonly settings: Settings<S, C>;
  readonly reports: Reports<S, C>;
  readonly roster: Roster<C>;
  readonly requests: Requests<S, C>;
  /** Opens WebSockets for HTTP servers of the application's own. */
  readonly transport: Transport;
  readonly host: TransportHost;
  readonly listeners: Listeners;
  readonly kind: ListeningKind;
  /** The topics: their engine may be away, which nobody waits for. */
  readonly hub: { start(): unknown; close(): Promise<void> };
  /** What runs beside the connections, from the start on. */
  readonly streams: { run(): void; stop(): void };
  /** Aborted here, once nobody is to be let in any more. */
  readonly stopping: AbortController;
}

/** A server's life: what it starts, and what it ends when it shuts down. */
export class Lifecycle<S, C extends WebSocketConnection> {
  readonly #parts: LifecycleParts<S, C>;
  readonly #liveness: Liveness;
  readonly #ticker: Ticker;
  readonly #finished = Promise.withResolvers<void>();
  #state: "new" | "starting" | "running" | "stopping" | "stopped" = "new";
  #listening: Promise<ListeningAddress> | undefined;
  #shuttingDown: Promise<void> | undefined;
  #leaving: Leaving | undefined;
  /** Where it listens, once it does. */
  address: ListeningAddress | undefined;

  constructor(parts: LifecycleParts<S, C>) {
    this.#parts = parts;
    this.#liveness = new Liveness(parts.roster.ready);
    this.#ticker = new Ticker(() => this.#call("onTick"));
  }

  get running(): boolean {
    return this.#state === "running";
  }

  /** Settles when the server has shut down. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  // Starting.

  /** Listens, and runs all else, until a signal aborts. */
  async start(options?: WaitOptions): Promise<void> {
    const { reports, kind, stopping } = this.#parts;
    const signal = reports.keeping(() => signalOf("start()", options));
    signal?.throwIfAborted();
    if (this.#state !== "new") {
      throw reports.keep(
        new WebSocketError("ERR_STATE", "Cannot start a server twice: make another one"),
      );
    }
    this.#state = "starting";
    const abort = () => void this.shutdown();
    signal?.addEventListener("abort", abort, { signal: stopping.signal });
    try {
      this.#listening = this.#listen();
      this.address = await this.#listening;
    } catch (error) {
      if (this.#shuttingDown === undefined) {
        // Whoever has come by a listener that did listen is gone with it, and the start may be tried again.
        this.#dropEveryone();
        await this.#step(() => this.#parts.listeners.end());
        this.#state = "new";
      }
      signal?.removeEventListener("abort", abort);
      throw reports.keep(error as WebSocketError);
    }
    if (this.#shuttingDown !== undefined) {
      await this.#shuttingDown;
      signal?.throwIfAborted();
      throw reports.keep(
        new WebSocketError(
          "ERR_STATE",
          "Cannot start a server that is told to shut down meanwhile",
        ),
      );
    }
    this.#run();
    for (const { ip, port } of this.#parts.listeners.addresses) {
      reports.log.info(`Listening on ${port === 0 ? ip : `${ip}:${port}`} (${kind.name})`);
    }
  }

  #listen(): Promise<ListeningAddress> {
    const { settings, listeners } = this.#parts;
    const { hostname, port, tls, listen = [{ port, tls }] } = settings;
    const all = listen.map((entry) => ({
      hostname,
      port,
      ...entry,
    } as ListenOptions));
    // A listener of the caller's own tells only now whether it speaks TLS.
    return listeners.start(all, ({ secure }) => {
      if (settings.proxyProtocol) checkProxyProtocol(secure);
    });
  }

  /** Has our listeners show another certificate. */
  async renewCertificate(tls: Parameters<Listeners["renew"]>[0]): Promise<void> {
    const { listeners, reports, kind } = this.#parts;
    try {
      await listeners.renew(readRenewal(tls, kind, listeners.addresses));
    } catch (error) {
      throw reports.keep(error as WebSocketError);
    }
  }

  /** Opens a WebSocket for an application's own HTTP server, which takes the place of a listener. */
  async upgrade(request: Request, info: unknown, prepared: PreparedUpgrade): Promise<Response> {
    const { transport, reports } = this.#parts;
    if (transport.upgrade === undefined) throw this.#notMounted("upgrade");
    this.serve();
    try {
      return await transport.upgrade(request, info, readPrepared(prepared));
    } catch (error) {
      throw error instanceof WebSocketError ? reports.keep(error) : error;
    }
  }

  /** Opens a WebSocket for a `node:http` server of the application's own. */
  handleUpgrade(event: UpgradeEvent, prepared: PreparedUpgrade | undefined): void {
    const { transport, reports, kind } = this.#parts;
    reports.keeping(() => {
      if (transport.handleUpgrade === undefined) {
        throw new WebSocketError(
          "ERR_UNSUPPORTED",
          `Cannot use handleUpgrade on ${kind.name}: the runtime owns its sockets. Use transport: "tcp".`,
        );
      }
      const read = prepared === undefined ? undefined : readPrepared(prepared);
      this.serve();
      transport.handleUpgrade(event, read);
    });
  }

  /** Makes the handlers that this server needs for it, together with those of others. */
  websocket(what: string, ...others: BunWebSocketOptions[]): BunWebSocketOptions {
    const { transport, reports } = this.#parts;
    if (transport.upgrade === undefined) throw this.#notMounted(what);
    const makes = transport.websocket !== undefined;
    if (makes && others.some((it) => typeof it?.message !== "function")) {
      throw reports.keep(
        new WebSocketError(
          "ERR_INVALID_ARGUMENT",
          "Cannot use these handlers: there is no function message. Give handlers as the runtime's own server takes them.",
        ),
      );
    }
    try {
      return transport.websocket?.(...others) as BunWebSocketOptions;
    } catch (error) {
      throw error instanceof WebSocketError ? reports.keep(error) : error;
    }
  }

  #notMounted(what: string): WebSocketError {
    const { kind, reports } = this.#parts;
    return reports.keep(
      new WebSocketError(
        "ERR_UNSUPPORTED",
        `Cannot use ${what} on ${kind.name}: it has no HTTP server. Use transport: "http"${
          currentRuntime() === "node" ? " under Deno or Bun, or handleUpgrade()" : ""
        }.`,
      ),
    );
  }

  /** Runs a server that is not started, for peers from elsewhere; gives it as transports see it. */
  serve(): TransportHost {
    if (this.#state === "new") this.#run();
    return this.#parts.host;
  }

  #run(): void {
    this.#state = "running";
    this.#parts.hub.start();
    this.reschedule();
    this.#parts.streams.run();
  }

  /** Sets the timers anew, after a time was changed. */
  reschedule(): void {
    if (!this.running) return;
    const { settings, kind } = this.#parts;
    // An engine that cannot be pinged by us looks for silence by itself, and does not tell of its pongs.
    const silenceMax = kind.capabilities.ping ? settings.silenceMax : 0;
    this.#liveness.schedule(silenceMax, silenceInterval(settings));
    this.#ticker.schedule(settings.tickPeriod);
  }

  // Shutting down.

  /**
   * Ends all that was started; further calls wait for the same, and with options they change what is still to
   * come.
   */
  shutdown(options?: ShutdownOptions): Promise<void> {
    const leaving = this.#leaving;
    const read = options === undefined
      ? {}
      : this.#parts.reports.keeping(() => readShutdownOptions(options, leaving !== undefined));
    leaving?.change(read);
    return this.#shuttingDown ??= this.#shutdown(this.#leaving = new Leaving(read));
  }

  async #shutdown(leaving: Leaving): Promise<void> {
    const { reports, roster, requests, listeners, hub, stopping } = this.#parts;
    this.#state = "stopping";
    stopping.abort();
    if (leaving.over.aborted) this.#stopRunning();
    // Who has called start() is told of what fails.
    await this.#step(() => this.#listening?.then(nothing, nothing));
    await this.#step(() => listeners.stop());
    roster.dismiss();
    const drains = !leaving.over.aborted;
    const patience = drains ? { until: leaving.over } : undefined;
    const called = await this.#step(() => this.#call("onShutdown"), patience);
    if (called === GAVE_UP) reports.report(stuck("onShutdown"));
    const told = new Set<WebSocketConnection>();
    const tell = (connection: WebSocketConnection) => {
      told.add(connection);
      this.#takeLeave(connection, leaving);
    };
    await leaving.tell(roster.ready, tell);
    leaving.stop();
    this.#stopRunning();
    for (const connection of roster.idle()) if (!told.has(connection)) tell(connection);
    await this.#step(() => Promise.all([roster.emptied(), requests.settled()]));
    if (requests.underWay > 0) reports.report(stuck("onRequest"));
    this.#dropEveryone();
    await this.#step(() => listeners.end());
    await this.#step(() => hub.close());
    tidyDeadlines();
    this.#state = "stopped";
    reports.log.info("Shut down");
    this.#finished.resolve();
  }

  /** Drops all who are still here. */
  #dropEveryone(): void {
    const { roster } = this.#parts;
    roster.dismiss();
    for (const connection of roster.everyone()) {
      this.#attempt(() => sessionOf(connection).abandon(), connection);
    }
  }

  /** Ends what runs beside the connections. */
  #stopRunning(): void {
    this.#liveness.stop();
    this.#ticker.stop();
    this.#parts.streams.stop();
  }

  /**
   * Waits for a step, by default for no longer than `closeTimeout`, and tells if that was not long enough; what
   * fails does not keep the next from its turn.
   */
  async #step(
    act: () => Promise<unknown> | undefined,
    patience: Patience = { seconds: this.#parts.settings.closeTimeout },
  ): Promise<unknown> {
    const { reports } = this.#parts;
    const tell = (error: unknown) => reports.report(error);
    try {
      const done = act();
      return done === undefined ? undefined : await waitFor(done, patience, tell);
    } catch (error) {
      tell(error);
    }
  }

  #takeLeave(connection: WebSocketConnection, { code, reason }: Leaving): void {
    // A subclass may have a `disconnect` of its own, which may fail.
    if (this.#attempt(() => connection.disconnect(code, reason), connection)) return;
    this.#attempt(() => sessionOf(connection).disconnect(code, reason), connection);
  }

  /** Does what may throw; gives whether it did not. */
  #attempt(act: () => unknown, connection: WebSocketConnection): boolean {
    const { reports } = this.#parts;
    const failed = (error: unknown) =>
      reports.report(handlerError("disconnect", error), connection);
    try {
      const result = act();
      if (isThenable(result)) result.then(undefined, failed);
      return true;
    } catch (error) {
      failed(error);
      return false;
    }
  }

  /** Calls one of the server's handlers; never rejects. */
  async #call(name: "onShutdown" | "onTick"): Promise<void> {
    const { settings, server, reports } = this.#parts;
    try {
      await settings[name]?.(server);
    } catch (error) {
      reports.report(handlerError(name, error));
    }
  }
}

function nothing(): void {}

/** A handler that shutting down waits for has not settled in its time; it may wait for the shutting down itself. */
function stuck(name: string): WebSocketError {
  return new WebSocketError(
    "ERR_HANDLER",
    `Cannot wait longer for ${name}: the server shuts down without it. If it waits for shutdown() or finished, it waits for itself: call shutdown() there without await.`,
  );
}
