/**
 * The rooms of the chat example: a room is a topic, its members are the topic's connections, and it is
 * gone with the last of them.
 *
 * @module
 */
import { WebSocketConnection, type WebSocketServer } from "../mod.ts";
import {
  ChatError,
  type ClientMessage,
  closeReplaced,
  type Join,
  limits,
  nicknameKey,
  type Said,
  type ServerMessage,
} from "./chat_protocol.ts";
import { RateLimit } from "./chat_rate_limit.ts";

/** One page that is connected, in a room or at the door. */
export class Guest extends WebSocketConnection {
  readonly rate = new RateLimit();
  room: string | undefined = undefined;
  nickname = "";
  session: string | undefined = undefined;
}

/** Every room that has somebody in it. */
export class Rooms {
  readonly #server: WebSocketServer<Guest>;
  /** What newcomers are shown. */
  readonly #history = new Map<string, Said[]>();

  constructor(server: WebSocketServer<Guest>) {
    this.#server = server.on({
      topicOpen: (_server, room) => void this.#history.set(room, []),
      topicClose: (_server, room) => void this.#history.delete(room),
      // Those whose connection has ended leave too.
      unsubscribe: (_server, guest, room) => {
        if (guest.room === room) this.#left(guest, room);
      },
    });
  }

  /**
   * Does what a guest asked for.
   *
   * @throws {ChatError} When that cannot be done; nothing has changed then.
   */
  receive(guest: Guest, message: ClientMessage): void {
    // What waited for its turn may be told of after the end.
    if (!guest.isReady) return;
    switch (message.type) {
      case "join":
        return this.#join(guest, message);
      case "say":
        return this.#say(guest, message.id, message.text);
    }
  }

  #join(guest: Guest, { room, nickname, session }: Join): void {
    const key = nicknameKey(nickname);
    const rival = this.#members(room).find((it) => nicknameKey(it.nickname) === key);
    const isTakeover = rival !== undefined && rival !== guest && session !== undefined &&
      rival.session === session;
    if (rival !== undefined && rival !== guest && !isTakeover) {
      throw new ChatError("nickname-taken", `Somebody here is called ${rival.nickname} already.`);
    }
    const { topics } = this.#server;
    const size = topics.get(room)?.subscriberCount ?? 0;
    if (size === 0 && topics.size >= limits.rooms) {
      throw new ChatError("no-room", "There are too many rooms. Join one that exists.");
    }
    if (rival === undefined && size >= limits.membersPerRoom) {
      throw new ChatError("no-room", "This room is full.");
    }

    if (guest.room === room) this.#left(guest, room);
    else if (guest.room !== undefined) guest.unsubscribe(guest.room);
    Object.assign(guest, { room, nickname, session });
    if (!isTakeover) void guest.publish(room, text({ type: "joined", nickname, at: Date.now() }));
    void guest.subscribe(room);
    if (isTakeover) {
      rival.room = undefined; // so that nobody is told that it left
      rival.unsubscribe(room);
      rival.disconnect(closeReplaced, "joined from another connection");
    }
    const members = this.#members(room).map((it) => it.nickname);
    const history = this.#history.get(room)!;
    guest.sendUtf8(text({ type: "welcome", room, nickname, members, history }));
  }

  #say({ room, nickname }: Guest, id: string, words: string): void {
    if (room === undefined) throw new ChatError("not-joined", "Join a room first.");
    const said: Said = { type: "said", id, nickname, text: words, at: Date.now() };
    const history = this.#history.get(room)!;
    history.push(said);
    if (history.length > limits.history) history.shift();
    void this.#server.publish(room, text(said));
  }

  /** Tells the others. */
  #left(guest: Guest, room: string): void {
    guest.room = undefined;
    void guest.publish(room, text({ type: "left", nickname: guest.nickname, at: Date.now() }));
  }

  #members(room: string): Guest[] {
    return [...this.#server.topics.get(room)?.connections ?? []];
  }
}

function text(message: ServerMessage): string {
  return JSON.stringify(message);
}
