import { topicNameError } from "../topics/topic_settings.ts";
import { checkData, Malformed } from "./codec.ts";
import { CentrifugeError, End, Failure } from "./codes.ts";
import { received } from "./data.ts";
import { clientInfo, wirePublication } from "./formats.ts";
import type { Grant } from "./grant.ts";
import type { Granted, Link } from "./link.ts";
import {
  type ClientInfo,
  type Command,
  type ConnectCommand,
  type HistoryCommand,
  type PublishCommand,
  type Reply,
  REQUESTS,
  type SubscribeReply,
  type TopicCommand,
  type WirePublication,
} from "./messages.ts";
import type { ConnectAnswer } from "./options.ts";
import { subscribe } from "./subscribing.ts";

/** What a client is told that this server is. */
const VERSION = "duet";
/** The most publications and members of one reply. */
const MAX_PUBLICATIONS = 1000;
const MAX_MEMBERS = 1000;
const MAX_BYTES = 1024 * 1024;

/**
 * Executes a command, and answers it.
 *
 * @param link Whose it is.
 * @param command The command.
 * @returns Settled once it is answered; never rejects.
 */
export async function execute(link: Link, command: Command): Promise<void> {
  if (link.state === "ended") return;
  const { id = 0 } = command;
  try {
    const result = await answer(link, command);
    if (result !== undefined) link.reply({ id, ...result });
  } catch (error) {
    if (error instanceof Malformed) link.end(...End.BAD_REQUEST);
    else fail(link, id, error);
  }
}

function fail(link: Link, id: number, error: unknown): void {
  let told = error as CentrifugeError;
  if (!(error instanceof CentrifugeError)) {
    // An engine that is away, say.
    link.host.report(error as Error, link.connection);
    told = Failure.INTERNAL;
  }
  const { code, message, temporary } = told;
  if (code >= 3000) link.end(code, message);
  else if (id > 0) link.reply({ id, error: { code, message, temporary } });
}

async function answer(link: Link, command: Command): Promise<Reply | undefined> {
  const { id = 0, send } = command;
  const name = REQUESTS.find((it) => command[it] !== undefined);
  if (name === "connect" ? link.state !== "new" : link.state !== "connected") {
    throw new Malformed("connect comes first, and once");
  }
  if (id === 0) {
    if (name === undefined) link.pong();
    else if (send?.data !== undefined) link.tellMessage(received(send.data));
    else throw new Malformed("a command has no id");
    return undefined;
  }
  switch (name) {
    case "connect":
      return await connect(link, id, command.connect!);
    case "subscribe": {
      const asked = command.subscribe!;
      const topic = topicOf(asked);
      const begun = (subscribe: SubscribeReply) => link.reply({ id, subscribe });
      await subscribeAsked(link, topic, command, begun);
      return undefined;
    }
    case "unsubscribe": {
      const topic = topicOf(command.unsubscribe!);
      if (link.granted.delete(topic)) link.subscriptions.unsubscribe(topic);
      return { unsubscribe: {} };
    }
    case "publish":
      return await publish(link, command.publish!);
    case "presence":
      return await presence(link, topicOf(command.presence!));
    case "presence_stats":
      return await presenceStats(link, topicOf(command.presence_stats!));
    case "history":
      return await history(link, command.history!);
    case "rpc": {
      const { onRpc } = link.host.options;
      const { method = "" } = command.rpc!;
      const data = received(command.rpc!.data);
      if (onRpc === undefined) throw Failure.NOT_AVAILABLE;
      const result = await link.ask(
        "onRpc",
        async () => checkData(await onRpc(link.client, { method, data }) ?? undefined, link.codec),
      );
      return { rpc: { data: result } };
    }
    case "refresh": {
      const { fields, ends } = await refresh(link, command.refresh!.token);
      link.ends = ends;
      return { refresh: { client: link.client.id, version: VERSION, ...fields } };
    }
    case "sub_refresh": {
      const topic = topicOf(command.sub_refresh!);
      const granted = grantedTo(link, topic);
      const { fields, ends } = await refresh(link, command.sub_refresh!.token, topic);
      granted.ends = ends;
      return { sub_refresh: fields };
    }
    case "send":
      if (send!.data === undefined) throw new Malformed("a message has no data");
      link.tellMessage(received(send!.data));
      return undefined;
    default:
      throw new Malformed("there is no such command");
  }
}

function topicOf({ channel = "" }: TopicCommand): string {
  if (topicNameError(channel) !== null) throw Failure.BAD_REQUEST;
  return channel;
}

/** The subscription of a client, which has begun or is under way. */
function grantedTo(link: Link, topic: string): Granted {
  const granted = link.granted.get(topic);
  if (granted === undefined) throw Failure.DENIED;
  return granted;
}

async function connect(link: Link, id: number, asked: ConnectCommand): Promise<undefined> {
  const { options, settings } = link.host;
  const { token = "", name = "", version = "", headers = {}, subs = {} } = asked;
  const data = received(asked.data);
  const request = { token, data, name, version, headers, connection: link.connection };
  link.state = "connecting";
  try {
    const answer = await link.ask("onConnect", () => checked(options.onConnect(request)));
    const { fields, ends } = link.lifetime(answer.expires);
    link.user = answer.user;
    link.info = answer.info;
    link.infoText = answer.info === undefined ? undefined : JSON.stringify(answer.info);
    const told = await link.ask("onConnect", () => checkData(answer.data, link.codec));
    const begun: Record<string, SubscribeReply> = Object.create(null);
    const granted = Object.entries(answer.subs ?? {});
    if (granted.length > settings.maxTopics) throw Failure.LIMIT;
    await Promise.all(
      granted.map(([topic, grant]) =>
        subscribe(link, topic, { ...grant, expires: undefined }, {
          byServer: true,
          position: Object.hasOwn(subs, topic) ? subs[topic] : undefined,
          begun: (reply) => void (begun[topic] = reply),
        })
      ),
    );
    if ((link.state as string) === "ended") return undefined;
    link.ends = ends;
    const ping = Math.ceil(settings.ping);
    const client = link.client.id;
    const connect = {
      client,
      version: VERSION,
      ...fields,
      data: told,
      subs: begun,
      ping,
      pong: true,
    };
    link.connected({ id, connect });
    return undefined;
  } catch (error) {
    link.notConnected();
    for (const topic of link.granted.keys()) link.subscriptions.unsubscribe(topic);
    link.granted.clear();
    throw error;
  }
}

/** What `onConnect` has given. */
async function checked(made: ConnectAnswer | PromiseLike<ConnectAnswer>): Promise<ConnectAnswer> {
  const answer = await made;
  if (typeof answer?.user === "string") return answer;
  throw new TypeError("onConnect must give { user }, or throw a CentrifugeError");
}

async function subscribeAsked(
  link: Link,
  topic: string,
  command: Command,
  begun: (reply: SubscribeReply) => void,
): Promise<void> {
  const { onSubscribe } = link.host.options;
  const asked = command.subscribe!;
  const { token = "", type = 0, tf } = asked;
  const data = received(asked.data);
  if (link.granted.has(topic)) throw Failure.ALREADY_SUBSCRIBED;
  if (type !== 0) throw Failure.NOT_AVAILABLE;
  if (tf !== undefined && tf !== "null") throw Failure.BAD_REQUEST;
  if (link.granted.size >= link.host.settings.maxTopics) throw Failure.LIMIT;
  if (onSubscribe === undefined) throw Failure.DENIED;
  // Its place is taken before anybody is asked, so that many at once cannot take more than there are.
  const place: Granted = { grant: {}, byServer: false, ends: Infinity };
  link.granted.set(topic, place);
  let grant: Grant | false;
  try {
    grant = await link.ask("onSubscribe", () => onSubscribe(link.client, { topic, token, data }));
    if (grant === false) throw Failure.DENIED;
    // The server may have ended it meanwhile.
    if (link.granted.get(topic) !== place) throw Failure.INTERNAL;
  } catch (error) {
    if (link.granted.get(topic) === place) link.granted.delete(topic);
    throw error;
  }
  await subscribe(link, topic, grant, { byServer: false, position: asked, begun });
}

async function publish(link: Link, asked: PublishCommand): Promise<Reply> {
  const { onPublish } = link.host.options;
  const topic = topicOf(asked);
  const data = received(asked.data);
  if (data === undefined) throw Failure.BAD_REQUEST;
  if (onPublish === undefined) throw Failure.NOT_AVAILABLE;
  const decided = await link.ask("onPublish", () => onPublish(link.client, { topic, data }));
  if (decided !== true && (typeof decided !== "object" || decided === null)) throw Failure.DENIED;
  const publisher = link.member(link.granted.get(topic)?.grant);
  const options = decided === true ? { publisher } : { ...decided, publisher };
  const { accepted } = await link.host.hub.publish(topic, data, options);
  if (accepted !== true) throw Failure.INTERNAL;
  return { publish: {} };
}

async function presence(link: Link, topic: string): Promise<Reply> {
  if (!grantedTo(link, topic).grant.presence) throw Failure.DENIED;
  if (!link.host.topicSettings(topic).presence) throw Failure.NOT_AVAILABLE;
  const members = await link.host.hub.members(topic, MAX_MEMBERS);
  const presence: Record<string, ClientInfo> = Object.create(null);
  for (const member of members) presence[member.id] = clientInfo(member, link.codec);
  return { presence: { presence } };
}

async function presenceStats(link: Link, topic: string): Promise<Reply> {
  if (!grantedTo(link, topic).grant.presence) throw Failure.DENIED;
  if (!link.host.topicSettings(topic).presence) throw Failure.NOT_AVAILABLE;
  const { connections, users } = await link.host.hub.memberCount(topic);
  return { presence_stats: { num_clients: connections, num_users: users } };
}

async function history(link: Link, asked: HistoryCommand): Promise<Reply> {
  const topic = topicOf(asked);
  const { limit = 0, since, reverse = false } = asked;
  if (!grantedTo(link, topic).grant.history) throw Failure.DENIED;
  if (link.host.topicSettings(topic).history === null) throw Failure.NOT_AVAILABLE;
  const page = await link.host.hub.history(topic, {
    limit: limit < 0 ? MAX_PUBLICATIONS : Math.min(limit, MAX_PUBLICATIONS),
    bytes: MAX_BYTES,
    reverse,
    after: since === undefined ? undefined : since.offset ?? 0,
    epoch: since?.epoch || undefined,
  });
  if (since !== undefined && !page.whole) throw Failure.UNRECOVERABLE;
  const publications: WirePublication[] = [];
  for (const publication of page.publications) {
    const written = wirePublication(publication, link.codec);
    if (written === null) throw new CentrifugeError(...End.INAPPROPRIATE);
    publications.push(written);
  }
  return { history: { publications, ...page.position } };
}

async function refresh(
  link: Link,
  token = "",
  topic?: string,
): Promise<ReturnType<Link["lifetime"]>> {
  const { onRefresh } = link.host.options;
  if (onRefresh === undefined) throw Failure.NOT_AVAILABLE;
  const expires = await link.ask("onRefresh", () => onRefresh(link.client, { token, topic }));
  return link.lifetime(expires);
}
