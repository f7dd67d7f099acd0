import { invalid } from "../base/option_values.ts";
import { Ticker } from "../base/ticker.ts";
import type { Session } from "../connection/session.ts";
import { requestUrl } from "../protocol/mod.ts";
import { partsOf } from "../server/properties.ts";
import { WebSocketServer } from "../server/server.ts";
import type { ControlMessage } from "../topics/hub_options.ts";
import { topicNameError } from "../topics/topic_settings.ts";
import type { Codec } from "./codec.ts";
import { checkEnd, checkUnsubscribed, End, Unsubscribed } from "./codes.ts";
import { execute } from "./commands.ts";
import { jsonCodec } from "./json_codec.ts";
import { Link, type LinkHost } from "./link.ts";
import { type CentrifugeOptions, readOptions, type Settings } from "./options.ts";
import { protobufCodec } from "./protobuf_codec.ts";
import { subscribe } from "./subscribing.ts";

const PROTOBUF = "centrifuge-protobuf";
const JSON_NAME = "centrifuge-json";
/** What a control message of ours is. */
const KIND = "centrifuge";

/**
 * Serves clients of the Centrifuge protocol, version 2, on a path of a server. Their channels are the server's
 * topics, on which plain WebSocket connections, other servers and `server.publish` meet them.
 *
 * On that path the server's `onConnect` is called as ever, and of the connection's handlers `origin`,
 * `handshake` and `error`; the others are this object's.
 *
 * @example A chat in which everybody may read and write
 * ```ts
 * import { WebSocketServer } from "@duet/websocket";
 * import { Centrifuge } from "@duet/websocket/centrifuge";
 *
 * await using server = new WebSocketServer({
 *   hostname: "127.0.0.1",
 *   topics: { history: { count: 100, age: 3600 }, presence: true },
 * });
 * new Centrifuge(server, {
 *   onConnect: ({ token }) => ({ user: token || "guest" }),
 *   onSubscribe: () => ({ recover: true, presence: true, joinLeave: true }),
 *   onPublish: (client, { topic }) => client.isSubscribed(topic),
 * });
 * await server.start();
 * ```
 */
export class Centrifuge<Info = unknown> {
  readonly #settings: Settings;
  readonly #host: LinkHost;
  readonly #links = new Set<Link>();
  readonly #users = new Map<string, Set<Link>>();
  readonly #ticker = new Ticker(() => Promise.resolve(this.#tick()));

  /**
   * Begins to serve, also on a server that runs already.
   *
   * @param server The server.
   * @param options The handlers and limits.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for an invalid option, and for a path that is taken.
   */
  // deno-lint-ignore no-explicit-any -- the class of the server's connections does not matter here
  constructor(server: WebSocketServer<any>, options: CentrifugeOptions<Info>) {
    if (!(server instanceof WebSocketServer)) throw invalid("server", server, "a WebSocketServer");
    this.#settings = readOptions(options as CentrifugeOptions);
    const { topics, settings, endpoints, reports } = partsOf(server);
    const { path } = this.#settings;
    if (endpoints.has(path)) throw invalid("path", path, "a path that nobody else serves");
    this.#host = {
      settings: this.#settings,
      options: options as CentrifugeOptions,
      hub: topics.hub,
      topicSettings: (topic) => settings.topics(topic),
      execute,
      subscribe: (link, topic, grant) =>
        subscribe(link, topic, { ...grant, expires: undefined }, {
          byServer: true,
          position: undefined,
          begun: (reply) => link.push({ channel: topic, subscribe: reply }),
        }),
      joined: (link) => this.#joined(link),
      left: (link) => this.#left(link),
      report: (error, connection) => reports.report(error, connection),
    };
    endpoints.set(path, (session, offered) => this.#open(session, offered));
    topics.control.add((message) => this.#control(message));
  }

  // Users, wherever they are.

  /**
   * Ends the connections of a user, on all servers.
   *
   * @param user The user.
   * @param code The close code: 3000 to 4999; by default 3503, after which clients stay away.
   * @param reason The reason: at most 123 bytes, and no JSON.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for another code or reason.
   */
  disconnect(user: string, code: number = End.FORCED[0], reason: string = End.FORCED[1]): void {
    checkEnd(code, reason);
    this.#send({ action: "disconnect", user: checkUser(user), code, reason });
  }

  /**
   * Ends a user's subscriptions to a topic, on all servers.
   *
   * @param user The user.
   * @param topic The topic.
   * @param code Why, 2000 to 2999: below 2500 for good, from 2500 on clients subscribe again.
   * @param reason The same in words.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for an invalid name, and for another code or reason.
   */
  unsubscribe(
    user: string,
    topic: string,
    code: number = Unsubscribed.BY_SERVER[0],
    reason: string = Unsubscribed.BY_SERVER[1],
  ): void {
    const error = topicNameError(topic);
    if (error !== null) throw error;
    checkUnsubscribed(code, reason);
    this.#send({ action: "unsubscribe", user: checkUser(user), topic, code, reason });
  }

  /**
   * Says anew when the connections of a user end, on all servers; their clients are told.
   *
   * @param user The user.
   * @param expires Seconds since 1970; undefined for never. Those that are over end the connections.
   */
  refresh(user: string, expires?: number): void {
    if (expires !== undefined && !Number.isFinite(expires)) {
      throw invalid("expires", expires, "seconds since 1970");
    }
    this.#send({ action: "refresh", user: checkUser(user), expires });
  }

  #send(message: Omit<ControlMessage, "kind">): void {
    const { path } = this.#settings;
    this.#host.hub.sendControl({ ...message, kind: KIND, path });
  }

  #control(message: ControlMessage): void {
    if (message.kind !== KIND || message.path !== this.#settings.path) return;
    const links = this.#users.get(message.user as string);
    if (links === undefined) return;
    const { action, topic, code, reason, expires } = message;
    for (const link of [...links]) {
      if (action === "disconnect") link.end(code as number, reason as string);
      if (action === "unsubscribe") {
        link.unsubscribe(topic as string, code as number, reason as string);
      }
      if (action === "refresh") link.refresh(expires as number | undefined);
    }
  }

  // Clients of this server.

  /** A connection is about to be opened; gives its subprotocol. */
  #open(session: Session, offered: readonly string[]): string | undefined {
    const url = new URL(requestUrl(session.head!, session.secure));
    const asked = url.searchParams.get("cf_protocol") ?? url.searchParams.get("format");
    const isProtobuf = offered.includes(PROTOBUF) || asked === "protobuf";
    const codec: Codec = isProtobuf ? protobufCodec : jsonCodec;
    let link: Link | undefined;
    session.on({
      ready: () => {
        link = new Link(this.#host, session, codec);
        this.#links.add(link);
        if (this.#links.size === 1) this.#ticker.schedule(this.#period());
      },
      utf8: (_connection, data) => link!.message(data),
      binary: (_connection, data) => link!.message(data),
      disconnect: (_connection, code, reason) => link?.ended(code, reason),
      drain: () => link?.drained(),
      message: undefined,
      ping: undefined,
      pong: undefined,
      interrupted: undefined,
    });
    return [PROTOBUF, JSON_NAME].find((it) => offered.includes(it));
  }

  #joined(link: Link): void {
    const links = this.#users.get(link.user);
    if (links === undefined) this.#users.set(link.user, new Set([link]));
    else links.add(link);
  }

  #left(link: Link): void {
    this.#links.delete(link);
    const links = this.#users.get(link.user);
    if (links?.delete(link) && links.size === 0) this.#users.delete(link.user);
    if (this.#links.size === 0) this.#ticker.schedule(0);
  }

  /** How often it is looked for what is due, in seconds: one timer serves all clients. */
  #period(): number {
    const { ping, pong, connectTimeout } = this.#settings;
    return Math.min(1, Math.min(ping, pong, connectTimeout) / 10);
  }

  #tick(): void {
    const now = performance.now();
    const date = Date.now();
    for (const link of this.#links) link.tick(now, date);
  }
}

function checkUser(user: string): string {
  if (typeof user === "string") return user;
  throw invalid("user", user, "a string");
}
