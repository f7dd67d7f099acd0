import type { BinaryData } from "../base/bytes.ts";
import { handlerError } from "../base/errors.ts";
import { invalid } from "../base/option_values.ts";
import { isThenable } from "../base/thenable.ts";
import { Broadcast } from "../connection/broadcast.ts";
import { sessionOf, WebSocketConnection } from "../connection/connection.ts";
import type { PublishOptions, PublishResult } from "../connection/subscribing.ts";
import type { Session } from "../connection/session.ts";
import { Hub } from "../topics/hub.ts";
import type { ControlMessage } from "../topics/hub_options.ts";
import { MemoryEngine } from "../topics/memory_engine.ts";
import type { Subscriber } from "../topics/subscription.ts";
import { EngineStatus } from "./engine_status.ts";
import type { Subscriptions } from "../topics/subscriptions.ts";
import type { Reports } from "./reports.ts";
import type { Settings } from "./settings.ts";
import { TopicList } from "./topic_list.ts";

/** What the topics of a server are made of. */
export interface TopicsParts<S, C extends WebSocketConnection> {
  readonly server: S;
  readonly settings: Settings<S, C>;
  readonly reports: Reports<S, C>;
}

/** What `server.publish` takes. */
export interface ServerPublishOptions extends PublishOptions {
  /** The connections of this server that are not sent it: one or many. */
  readonly except?: WebSocketConnection | Iterable<WebSocketConnection> | undefined;
}

/** The topics of a server: a hub whose subscribers are connections. */
export class Topics<S, C extends WebSocketConnection> {
  readonly hub: Hub;
  /** Told of what a layer above, on this server or another, has sent to all servers. */
  readonly control = new Set<(message: ControlMessage) => void>();
  /** What `server.topics` gives. */
  readonly list: TopicList<C>;
  /** What `server.engine` gives. */
  readonly engine: EngineStatus;
  readonly #parts: TopicsParts<S, C>;

  constructor(parts: TopicsParts<S, C>) {
    this.#parts = parts;
    const { server, settings, reports } = parts;
    const { engine, maxHistoryBytes } = settings;
    this.hub = new Hub({
      engine: engine ?? new MemoryEngine({ maxHistoryBytes }),
      settings: settings.topics,
      limits: settings,
      // How large it may be was looked at when it was published, maybe by another server.
      plain: { publication: (_topic, { data }) => new Broadcast(data, Infinity) },
      onSubscribe: (subscriber, topic) =>
        settings.onSubscribe?.(server, connectionOf<C>(subscriber), topic),
      onUnsubscribe: (subscriber, topic) => {
        const connection = connectionOf<C>(subscriber);
        const { onUnsubscribe } = settings;
        this.#tell("onUnsubscribe", () => onUnsubscribe?.(server, connection, topic), connection);
      },
      onTopicOpen: (topic) =>
        this.#tell("onTopicOpen", () => settings.onTopicOpen?.(server, topic)),
      onTopicClose: (topic) =>
        this.#tell("onTopicClose", () => settings.onTopicClose?.(server, topic)),
      onDown: (error) => this.engine.down(error),
      onUp: () => this.engine.up(),
      onControl: (message) => {
        for (const tell of this.control) tell(message);
      },
      report: (error, subscriber) =>
        reports.report(error, subscriber === undefined ? undefined : connectionOf<C>(subscriber)),
    });
    this.engine = new EngineStatus(server, this.hub, reports.log);
    this.list = new TopicList(this.hub.topics, (it) => connectionOf<C>(it as Subscriber));
  }

  /** Publishes; never rejects. */
  publish(
    topic: string,
    data: string | BinaryData,
    options: ServerPublishOptions = {},
  ): Promise<PublishResult> {
    let except: Subscriber[] | undefined;
    try {
      except = readExcept(options?.except);
    } catch (error) {
      this.#parts.reports.report(error);
      return Promise.resolve({ accepted: false, error: error as Error });
    }
    return this.hub.publish(topic, data, options, except);
  }

  /** Calls a handler that has nothing to decide. */
  #tell(name: string, act: () => unknown, connection?: C): void {
    const failed = (error: unknown) =>
      this.#parts.reports.report(handlerError(name, error), connection);
    try {
      const result = act();
      if (isThenable(result)) result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }
}

/** All subscribers of a server are sessions, or have a connection as these do. */
function connectionOf<C>(subscriber: Subscriber): C {
  return (subscriber as Session).connection as C;
}

/** Who subscribes on a connection: its session, or the layer above that has taken it over. */
function subscriberOf(session: Session): Subscriber {
  const subscriptions = session.subscriptions as Subscriptions | null;
  return subscriptions?.subscriber ?? session;
}

function readExcept(except: ServerPublishOptions["except"]): Subscriber[] | undefined {
  if (except === undefined) return undefined;
  const many = except instanceof WebSocketConnection ? [except] : except;
  const iterable = typeof many === "object" && many !== null && Symbol.iterator in many;
  const list: unknown[] = iterable ? [...many] : [];
  if (!iterable || !list.every((it) => it instanceof WebSocketConnection)) {
    throw invalid("except", except, "a connection, or an iterable of connections");
  }
  return (list as WebSocketConnection[]).map((it) => subscriberOf(sessionOf(it)));
}
