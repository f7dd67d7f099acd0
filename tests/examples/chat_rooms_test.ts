import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  ChatError,
  type ClientMessage,
  limits,
  parseClientMessage,
} from "../../examples/chat_protocol.ts";
import { RateLimit } from "../../examples/chat_rate_limit.ts";
import { Guest, Rooms, roomTopics } from "../../examples/chat_rooms.ts";
import { WebSocketServer } from "../../mod.ts";
import { type NativeClient, openNative } from "../support/native_client.ts";

/** A visitor, and what came to it. */
class Visitor {
  readonly client: NativeClient;
  #taken = 0;

  constructor(client: NativeClient) {
    this.client = client;
  }

  ask(message: ClientMessage): void {
    this.client.socket.send(JSON.stringify(message));
  }

  /** What came since the last call, without the times; of an error its code. */
  async take(): Promise<unknown[]> {
    this.client.socket.send("take");
    const { entries } = this.client.messages;
    let end = -1;
    while (end === -1) {
      await this.client.messages.first(this.#taken + 1);
      end = entries.indexOf("taken", this.#taken);
      if (end === -1) await this.client.messages.first(entries.length + 1);
    }
    const got = entries.slice(this.#taken, end).map((it) => JSON.parse(it as string));
    this.#taken = end + 1;
    const plain = (key: string, value: unknown) => key === "at" ? undefined : value;
    return got.map((it) => it.type === "error" ? it.code : JSON.parse(JSON.stringify(it, plain)));
  }

  async leave(): Promise<void> {
    this.client.socket.close();
    await this.client.end();
  }
}

/** A chat with nothing but its rooms. */
async function open() {
  const server = new WebSocketServer({
    hostname: "127.0.0.1",
    connectionClass: Guest,
    topics: roomTopics,
    onConnect: (_server, guest) =>
      void guest.on({
        async utf8(guest, data) {
          if (data === "take") return void guest.sendUtf8("taken");
          try {
            await rooms.receive(guest, parseClientMessage(data));
          } catch (error) {
            const { code } = error as ChatError;
            guest.sendUtf8(JSON.stringify({ type: "error", code }));
          }
        },
      }),
  });
  const rooms = new Rooms(server);
  await server.start();
  const visit = async () => new Visitor(await openNative(`ws://127.0.0.1:${server.port}`));
  const enter = async (...args: Parameters<typeof join>) => {
    const visitor = await visit();
    visitor.ask(join(...args));
    return visitor;
  };
  return { enter, visit, [Symbol.asyncDispose]: async () => void await server.shutdown() };
}

function join(nickname: string, room = "garden", session?: string): ClientMessage {
  return { type: "join", room, nickname, ...(session !== undefined && { session }) };
}

describe("Rooms", () => {
  test("tells everybody who comes, speaks and goes", async () => {
    await using chat = await open();
    const ada = await chat.enter("Ada");
    await ada.take();
    const grace = await chat.enter("Grace");
    assert.deepEqual(await grace.take(), [
      {
        type: "welcome",
        room: "garden",
        nickname: "Grace",
        members: ["Ada", "Grace"],
        history: [],
      },
    ]);
    assert.deepEqual(await ada.take(), [{ type: "joined", nickname: "Grace" }]);
    const stranger = await chat.enter("Grace", "kitchen");
    ada.ask({ type: "say", id: "1", text: "Hello" });
    const said = { type: "said", id: "1", nickname: "Ada", text: "Hello" };
    assert.deepEqual(await ada.take(), [said]);
    await ada.leave();
    assert.deepEqual(await grace.take(), [said, { type: "left", nickname: "Ada" }]);
    assert.equal((await stranger.take()).length, 1, "another room heard it");
  });

  test("shows newcomers the last messages, also when nobody was there meanwhile", async () => {
    await using chat = await open();
    const ada = await chat.enter("Ada");
    for (let n = 0; n < limits.history + 5; n++) {
      ada.ask({ type: "say", id: String(n), text: "Hello" });
    }
    await ada.take();
    const grace = await chat.enter("Grace");
    const [welcome] = await grace.take() as [{ history: { id: string }[] }];
    assert.equal(welcome.history.length, limits.history);
    assert.equal(welcome.history[0]?.id, "5");

    await Promise.all([ada.leave(), grace.leave()]);
    const [again] = await (await chat.enter("Ada")).take() as [{ history: unknown[] }];
    assert.equal(again.history.length, limits.history);
  });

  test("keeps the history when its only member changes names", async () => {
    await using chat = await open();
    const ada = await chat.enter("Ada");
    ada.ask({ type: "say", id: "1", text: "Hello" });
    await ada.take();
    ada.ask(join("Countess"));
    const [welcome] = await ada.take() as [{ members: unknown; history: unknown[] }];
    assert.deepEqual(welcome.members, ["Countess"]);
    assert.equal(welcome.history.length, 1);
    assert.deepEqual(await (await chat.enter("countess")).take(), ["nickname-taken"]);
  });

  test("tells the others who changes names or rooms", async () => {
    await using chat = await open();
    const ada = await chat.enter("Ada");
    const grace = await chat.enter("Grace");
    await grace.take();
    ada.ask(join("Countess"));
    await ada.take();
    assert.deepEqual(await grace.take(), [
      { type: "left", nickname: "Ada" },
      { type: "joined", nickname: "Countess" },
    ]);
    ada.ask(join("Countess", "kitchen"));
    await ada.take();
    assert.deepEqual(await grace.take(), [{ type: "left", nickname: "Countess" }]);
  });

  test("refuses a nickname that is taken, and then changes nothing", async () => {
    await using chat = await open();
    const ada = await chat.enter("Ada");
    const grace = await chat.enter("Grace", "kitchen");
    await ada.take();
    await grace.take();
    grace.ask(join("ADA"));
    assert.deepEqual(await grace.take(), ["nickname-taken"]);
    assert.deepEqual(await ada.take(), []);
    grace.ask({ type: "say", id: "1", text: "still in the kitchen" });
    assert.equal((await grace.take()).length, 1);
    assert.deepEqual(await ada.take(), []);
  });

  test("lets the same session take its nickname over, without anybody noticing", async () => {
    await using chat = await open();
    const ada = await chat.enter("Ada", "garden", "secret");
    await ada.take();
    const grace = await chat.enter("Grace");
    await grace.take();
    assert.deepEqual(await (await chat.enter("Ada", "garden", "guess")).take(), ["nickname-taken"]);
    assert.deepEqual(await (await chat.enter("Ada")).take(), ["nickname-taken"]);
    const again = await chat.enter("Ada", "garden", "secret");
    const [welcome] = await again.take() as [{ members: string[] }];
    assert.deepEqual(welcome.members.toSorted(), ["Ada", "Grace"]);
    assert.equal((await ada.client.end()).code, 4000);
    assert.deepEqual(await grace.take(), []);
  });

  test("keeps the history when its only member comes back over another connection", async () => {
    await using chat = await open();
    const ada = await chat.enter("Ada", "garden", "secret");
    ada.ask({ type: "say", id: "1", text: "Hello" });
    await ada.take();
    const [welcome] = await (await chat.enter("Ada", "garden", "secret")).take() as [
      { history: unknown[] },
    ];
    assert.equal(welcome.history.length, 1);
  });

  test("bounds the rooms and their members", async () => {
    await using chat = await open();
    const all = (count: number, name: (n: number) => [string, string]) =>
      Promise.all(Array.from({ length: count }, (_, n) => chat.enter(...name(n))));
    const visitors = await all(limits.rooms, (n) => ["Ada", `room ${n}`]);
    for (const visitor of visitors) await visitor.take();
    assert.deepEqual(await (await chat.enter("Ada", "one more")).take(), ["no-room"]);
    await visitors[0].leave();
    const members = await all(limits.membersPerRoom, (n) => [`Ada ${n}`, "one more"]);
    for (const visitor of members) await visitor.take();
    assert.deepEqual(await (await chat.enter("Grace", "one more")).take(), ["no-room"]);
  });

  test("takes no message from somebody without a room", async () => {
    await using chat = await open();
    const visitor = await chat.visit();
    visitor.ask({ type: "say", id: "1", text: "Hello" });
    assert.deepEqual(await visitor.take(), ["not-joined"]);
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
