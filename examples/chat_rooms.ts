/**
 * The rooms of the chat example: a room is a topic. Its history is what newcomers are shown, and its
 * presence tells who is there, on whatever server.
 *
 * @module
 */
import { type TopicSettings, WebSocketConnection, type WebSocketServer } from "../mod.ts";
import {
  ChatError,
  type ClientMessage,
  closeReplaced,
  type Join,
  limits,
  nicknameKey,
  type Said,
  type Say,
  type ServerMessage,
} from "./chat_protocol.ts";
import { RateLimit } from "./chat_rate_limit.ts";

/** What servers of {@linkcode Rooms} have as `topics`. Who comes and goes is kept too, and not shown. */
export const roomTopics: TopicSettings = {
  history: { count: 3 * limits.history, age: 3600 },
  presence: true,
};

/** One page that is connected, in a room or at the door. */
export class Guest extends WebSocketConnection {
  readonly rate = new RateLimit();
  room: string | undefined = undefined;
  nickname = "";
  session: string | undefined = undefined;
}

/** What the servers tell each other of a guest. */
interface Card {
  server: string;
  nickname: string;
  session: string | undefined;
}

/** Every room that has somebody in it. */
export class Rooms {
  readonly #server: WebSocketServer<Guest>;
  readonly #id: string = crypto.randomUUID();

  constructor(server: WebSocketServer<Guest>) {
    this.#server = server.on({
      // Those whose connection has ended leave too.
      unsubscribe: (_server, guest, room) => {
        if (guest.room === room) void this.#left(guest, room);
      },
      // While there still is an engine.
      shutdown: async () => {
        const leaving = [...server.connections].filter(({ room }) => room !== undefined);
        await Promise.all(leaving.map((guest) => this.#left(guest, guest.room!)));
      },
    });
  }

  /**
   * Does what a guest asked for.
   *
   * @returns Settled when it is done. Rejects with a `ChatError` when it cannot be done.
   */
  async receive(guest: Guest, message: ClientMessage): Promise<void> {
    // What waited for its turn may be told of after the end.
    if (!guest.isReady) return;
    if (message.type === "join") await this.#join(guest, message);
    else await this.#say(guest, message);
  }

  async #join(guest: Guest, { room, nickname, session }: Join): Promise<void> {
    const key = nicknameKey(nickname);
    const elsewhere = (await this.#cards(room)).filter(({ server }) => server !== this.#id);
    if (!guest.isReady) return;
    const rival = this.#guests(room).find((it) => it !== guest && nicknameKey(it.nickname) === key);
    const taken = rival ?? elsewhere.find((it) => nicknameKey(it.nickname) === key);
    const isTakeover = taken !== undefined && session !== undefined && taken.session === session;
    if (taken !== undefined && !isTakeover) {
      throw new ChatError("nickname-taken", `Somebody here is called ${taken.nickname} already.`);
    }
    const { topics } = this.#server;
    if (topics.get(room) === undefined && topics.size >= limits.rooms) {
      throw new ChatError("no-room", "There are too many rooms. Join one that exists.");
    }
    if (!isTakeover && this.#guests(room).length + elsewhere.length >= limits.membersPerRoom) {
      throw new ChatError("no-room", "This room is full.");
    }

    const before = guest.room;
    if (before !== undefined) {
      guest.room = undefined; // so that it is told once that it left
      guest.unsubscribe(before);
      void this.#announce(guest, before, "left");
    }
    Object.assign(guest, { room, nickname, session });
    if (!isTakeover) void this.#announce(guest, room, "joined");
    const card: Card = { server: this.#id, nickname, session };
    const subscribed = guest.subscribe(room, { user: key, info: JSON.stringify(card) });
    if (rival !== undefined) {
      rival.room = undefined; // so that nobody is told that it left
      rival.unsubscribe(room);
      rival.disconnect(closeReplaced, "joined from another connection");
    }
    await subscribed;
    const members = (await this.#cards(room)).map((it) => it.nickname);
    const history = await this.#history(room);
    guest.sendUtf8(text({ type: "welcome", room, nickname, members, history }));
  }

  async #say({ room, nickname }: Guest, { id, text: words }: Say): Promise<void> {
    if (room === undefined) throw new ChatError("not-joined", "Join a room first.");
    const said: Said = { type: "said", id, nickname, text: words, at: Date.now() };
    // A page that was told "away" says it again: once is enough.
    const idempotencyKey = `${nickname} ${id}`;
    const { accepted } = await this.#server.publish(room, text(said), { idempotencyKey });
    if (accepted !== true) throw away();
  }

  /** Tells the others, unless it has come back to another server. */
  async #left(guest: Guest, room: string): Promise<void> {
    guest.room = undefined;
    const key = nicknameKey(guest.nickname);
    const cards = await this.#cards(room).catch(() => []);
    const again = cards.some((it) => it.server !== this.#id && nicknameKey(it.nickname) === key);
    if (!again) await this.#announce(guest, room, "left");
  }

  async #announce(guest: Guest, room: string, type: "joined" | "left"): Promise<void> {
    // The server, since a connection that has ended publishes nothing.
    const { nickname } = guest;
    await this.#server.publish(room, text({ type, nickname, at: Date.now() }), { except: guest });
  }

  /** Those of this server, also before they are subscribed. */
  #guests(room: string): Guest[] {
    return [...this.#server.connections].filter((it) => it.room === room);
  }

  /** Those of all servers. */
  async #cards(room: string): Promise<Card[]> {
    const members = await this.#server.members(room).catch(() => {
      throw away();
    });
    return members.map(({ info }) => JSON.parse(info!));
  }

  /** What was said last, oldest first. */
  async #history(room: string): Promise<Said[]> {
    const range = { limit: roomTopics.history!.count, reverse: true };
    const { publications } = await this.#server.history(room, range).catch(() => {
      throw away();
    });
    return publications.map(({ data }): ServerMessage => JSON.parse(data as string))
      .filter((it) => it.type === "said").slice(0, limits.history).reverse();
  }
}

function away(): ChatError {
  return new ChatError("away", "What connects the servers is away. Trying again…");
}

function text(message: ServerMessage): string {
  return JSON.stringify(message);
}
