/**
 * The rooms of the chat example: who is in them and what was said. It knows connections only by the
 * two methods that it calls, so it can be tested without a network.
 *
 * @module
 */
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

/** The part of a connection that rooms use. */
export interface Peer {
  sendUtf8(text: string): unknown;
  disconnect(code: number, reason: string): unknown;
}

/** Sends one text to many peers. */
export type Broadcast<P extends Peer> = (text: string, to: Iterable<P>) => unknown;

interface Member<P extends Peer> {
  readonly peer: P;
  readonly room: Room<P>;
  readonly key: string;
  readonly nickname: string;
  readonly session: string | undefined;
}

class Room<P extends Peer> {
  /** By nickname key. */
  readonly members = new Map<string, Member<P>>();
  readonly history: Said[] = [];

  constructor(readonly name: string) {}
}

/** Every room that has somebody in it. */
export class Rooms<P extends Peer> {
  readonly #broadcast: Broadcast<P>;
  readonly #rooms = new Map<string, Room<P>>();
  readonly #members = new Map<P, Member<P>>();

  constructor(broadcast: Broadcast<P>) {
    this.#broadcast = broadcast;
  }

  /**
   * Does what a peer asked for.
   *
   * @throws {ChatError} When that cannot be done; nothing has changed then.
   */
  receive(peer: P, message: ClientMessage): void {
    switch (message.type) {
      case "join":
        return this.#join(peer, message);
      case "say":
        return this.#say(peer, message.id, message.text);
    }
  }

  /** Takes a peer out of its room, if it is in one. A room that nobody is in is forgotten. */
  leave(peer: P): void {
    const member = this.#members.get(peer);
    if (member === undefined) return;
    this.#remove(member);
    this.#tell(member.room, { type: "left", nickname: member.nickname, at: Date.now() });
  }

  #join(peer: P, { room: name, nickname, session }: Join): void {
    const room = this.#rooms.get(name) ?? new Room<P>(name);
    const key = nicknameKey(nickname);
    const rival = room.members.get(key);
    const isTakeover = rival !== undefined && rival.peer !== peer && session !== undefined &&
      rival.session === session;
    if (rival !== undefined && rival.peer !== peer && !isTakeover) {
      throw new ChatError("nickname-taken", `Somebody here is called ${rival.nickname} already.`);
    }
    if (room.members.size === 0 && this.#rooms.size >= limits.rooms) {
      throw new ChatError("no-room", "There are too many rooms. Join one that exists.");
    }
    if (rival === undefined && room.members.size >= limits.membersPerRoom) {
      throw new ChatError("no-room", "This room is full.");
    }

    this.leave(peer);
    if (isTakeover) {
      this.#remove(rival);
      rival.peer.disconnect(closeReplaced, "joined from another connection");
    } else {
      this.#tell(room, { type: "joined", nickname, at: Date.now() });
    }
    const member = { peer, room, key, nickname, session };
    room.members.set(key, member);
    this.#members.set(peer, member);
    this.#rooms.set(name, room); // new, or forgotten a moment ago when its only member left
    const members = Array.from(room.members.values(), (member) => member.nickname);
    const welcome: ServerMessage = {
      type: "welcome",
      room: name,
      nickname,
      members,
      history: room.history,
    };
    peer.sendUtf8(JSON.stringify(welcome));
  }

  #say(peer: P, id: string, text: string): void {
    const member = this.#members.get(peer);
    if (member === undefined) throw new ChatError("not-joined", "Join a room first.");
    const { room, nickname } = member;
    const said: Said = { type: "said", id, nickname, text, at: Date.now() };
    room.history.push(said);
    if (room.history.length > limits.history) room.history.shift();
    this.#tell(room, said);
  }

  #tell(room: Room<P>, message: ServerMessage): void {
    const peers = Array.from(room.members.values(), (member) => member.peer);
    this.#broadcast(JSON.stringify(message), peers);
  }

  #remove(member: Member<P>): void {
    const { peer, room, key } = member;
    this.#members.delete(peer);
    room.members.delete(key);
    if (room.members.size === 0) this.#rooms.delete(room.name);
  }
}
