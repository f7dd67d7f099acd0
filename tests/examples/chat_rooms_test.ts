import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ClientMessage, limits, type ServerMessage } from "../../examples/chat_protocol.ts";
import { RateLimit } from "../../examples/chat_rate_limit.ts";
import { Rooms } from "../../examples/chat_rooms.ts";

/** A peer that writes down what it is sent. */
class Peer {
  readonly closes: unknown[][] = [];
  #got: ServerMessage[] = [];

  sendUtf8(text: string): void {
    this.#got.push(JSON.parse(text));
  }

  disconnect(...args: unknown[]): void {
    this.closes.push(args);
  }

  /** What came since the last call, without the times. */
  take(): unknown[] {
    const got = this.#got;
    this.#got = [];
    return JSON.parse(JSON.stringify(got, (key, value) => key === "at" ? undefined : value));
  }
}

function makeRooms(): Rooms<Peer> {
  return new Rooms((text, to) => {
    for (const peer of to) peer.sendUtf8(text);
  });
}

function join(nickname: string, room = "garden", session?: string): ClientMessage {
  return { type: "join", room, nickname, ...(session !== undefined && { session }) };
}

function enter(rooms: Rooms<Peer>, ...args: Parameters<typeof join>): Peer {
  const peer = new Peer();
  rooms.receive(peer, join(...args));
  return peer;
}

describe("Rooms", () => {
  test("tells everybody who comes, speaks and goes", () => {
    const rooms = makeRooms();
    const ada = enter(rooms, "Ada");
    const grace = enter(rooms, "Grace");
    const stranger = enter(rooms, "Grace", "kitchen");
    ada.take();
    assert.deepEqual(grace.take(), [
      {
        type: "welcome",
        room: "garden",
        nickname: "Grace",
        members: ["Ada", "Grace"],
        history: [],
      },
    ]);
    rooms.receive(ada, { type: "say", id: "1", text: "Hello" });
    const said = { type: "said", id: "1", nickname: "Ada", text: "Hello" };
    assert.deepEqual(ada.take(), [said]);
    rooms.leave(ada);
    rooms.leave(ada);
    assert.deepEqual(grace.take(), [said, { type: "left", nickname: "Ada" }]);
    assert.deepEqual(ada.take(), []);
    assert.equal(stranger.take().length, 1, "another room heard it");
  });

  test("shows newcomers the last messages, and forgets a room that is empty", () => {
    const rooms = makeRooms();
    const ada = enter(rooms, "Ada");
    for (let n = 0; n < limits.history + 5; n++) {
      rooms.receive(ada, { type: "say", id: String(n), text: "Hello" });
    }
    const [welcome] = enter(rooms, "Grace").take() as [{ history: { id: string }[] }];
    assert.equal(welcome.history.length, limits.history);
    assert.equal(welcome.history[0]?.id, "5");

    const other = makeRooms();
    const alone = enter(other, "Ada");
    other.receive(alone, { type: "say", id: "1", text: "Hello" });
    other.leave(alone);
    const [again] = enter(other, "Ada").take() as [{ history: unknown[] }];
    assert.deepEqual(again.history, []);
  });

  test("keeps the history when its only member changes names", () => {
    const rooms = makeRooms();
    const ada = enter(rooms, "Ada");
    rooms.receive(ada, { type: "say", id: "1", text: "Hello" });
    ada.take();
    rooms.receive(ada, join("Countess"));
    const [welcome] = ada.take() as [{ members: unknown; history: unknown[] }];
    assert.deepEqual(welcome.members, ["Countess"]);
    assert.equal(welcome.history.length, 1);
    assert.throws(() => enter(rooms, "countess"), { code: "nickname-taken" });
  });

  test("refuses a nickname that is taken, and then changes nothing", () => {
    const rooms = makeRooms();
    const ada = enter(rooms, "Ada");
    const grace = enter(rooms, "Grace", "kitchen");
    ada.take();
    grace.take();
    assert.throws(() => rooms.receive(grace, join("ADA")), { code: "nickname-taken" });
    assert.deepEqual(ada.take(), []);
    rooms.receive(grace, { type: "say", id: "1", text: "still in the kitchen" });
    assert.equal(grace.take().length, 1);
    assert.deepEqual(ada.take(), []);
  });

  test("lets the same session take its nickname over, without anybody noticing", () => {
    const rooms = makeRooms();
    const ada = enter(rooms, "Ada", "garden", "secret");
    const grace = enter(rooms, "Grace");
    grace.take();
    assert.throws(() => enter(rooms, "Ada", "garden", "guess"), { code: "nickname-taken" });
    assert.throws(() => enter(rooms, "Ada"), { code: "nickname-taken" });
    const [welcome] = enter(rooms, "Ada", "garden", "secret").take() as [{ members: string[] }];
    assert.deepEqual(welcome.members.toSorted(), ["Ada", "Grace"]);
    assert.equal(ada.closes[0]?.[0], 4000);
    rooms.leave(ada);
    assert.deepEqual(grace.take(), []);
  });

  test("bounds the rooms and their members", () => {
    const rooms = makeRooms();
    const peers = Array.from({ length: limits.rooms }, (_, n) => enter(rooms, "Ada", `room ${n}`));
    assert.throws(() => enter(rooms, "Ada", "one more"), { code: "no-room" });
    rooms.leave(peers[0] as Peer);
    for (let n = 0; n < limits.membersPerRoom; n++) enter(rooms, `Ada ${n}`, "one more");
    assert.throws(() => enter(rooms, "Grace", "one more"), { code: "no-room" });
  });

  test("takes no message from somebody without a room", () => {
    const say: ClientMessage = { type: "say", id: "1", text: "Hello" };
    assert.throws(() => makeRooms().receive(new Peer(), say), { code: "not-joined" });
  });
});

test("RateLimit lets a burst through, then as many as come back", () => {
  const rate = new RateLimit(0);
  const takes = (count: number, now: number) =>
    Array.from({ length: count }, () => rate.take(now)).filter((passed) => passed).length;
  assert.equal(takes(limits.burst + 3, 0), limits.burst);
  assert.equal(rate.refused, 3);
  assert.equal(takes(10, limits.burstSeconds / 4), limits.burst / 4);
  assert.equal(takes(limits.burst * 3, 1000), limits.burst);
});
