import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type NativeClient, openNative } from "../support/native_client.ts";
import { NO_REDIS, RedisServer } from "../support/redis_server.ts";
import { Example } from "./start_example.ts";

type Message = Record<string, unknown>;

/** A page, as far as messages tell. */
class Page {
  readonly #client: NativeClient;
  #read = 0;

  constructor(client: NativeClient) {
    this.#client = client;
  }

  send(message: Message): void {
    this.#client.socket.send(JSON.stringify(message));
  }

  /** Sends what is answered, again while Redis is away, as pages do. */
  async ask(message: Message, answer: string): Promise<Message> {
    for (;;) {
      this.send(message);
      const answered = await this.next(answer, "error");
      if (answered.code !== "away") return answered;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** The next message of some types; those before it are passed over. */
  async next(...types: string[]): Promise<Message> {
    const { messages } = this.#client;
    for (;;) {
      await messages.first(this.#read + 1);
      const message = JSON.parse(messages.entries[this.#read++] as string) as Message;
      if (types.includes(message.type as string)) return message;
    }
  }
}

describe("examples/chat.ts --redis", () => {
  test("servers under Deno and Bun share a room, and tell when Redis is away and back", {
    skip: NO_REDIS,
  }, async () => {
    const redis = await RedisServer.start("--appendonly", "yes", "--appendfsync", "always");
    const flags = ["--port", "0", "--redis", `redis://127.0.0.1:${redis.port}`];
    await using one = await Example.start("deno", "chat.ts", ...flags);
    await using other = await Example.start("bun", "chat.ts", ...flags);
    const open = async (it: Example) => new Page(await openNative(it.url.replace("http", "ws")));
    const [ada, grace] = [await open(one), await open(other)];

    const welcome = await ada.ask({ type: "join", room: "garden", nickname: "Ada" }, "welcome");
    assert.deepEqual(welcome.members, ["Ada"]);
    const taken = await grace.ask({ type: "join", room: "garden", nickname: "ADA" }, "welcome");
    assert.equal(taken.code, "nickname-taken");
    grace.send({ type: "join", room: "garden", nickname: "Grace" });
    const { members } = await grace.next("welcome");
    assert.deepEqual((members as string[]).toSorted(), ["Ada", "Grace"]);
    assert.equal((await ada.next("joined")).nickname, "Grace");
    ada.send({ type: "say", id: "1", text: "Hello" });
    assert.equal((await grace.next("said")).text, "Hello");

    await redis.kill();
    for (const page of [ada, grace]) assert.equal((await page.next("engine")).up, false);
    ada.send({ type: "say", id: "2", text: "Anybody there?" });
    assert.equal((await ada.next("error")).code, "away");
    const late = await open(other);
    assert.equal((await late.next("engine")).up, false);

    await redis.start();
    for (const page of [ada, grace, late]) assert.equal((await page.next("engine")).up, true);
    ada.send({ type: "say", id: "2", text: "Anybody there?" });
    assert.equal((await grace.next("said")).text, "Anybody there?");
    late.send({ type: "join", room: "garden", nickname: "Alan" });
    const { history } = await late.next("welcome");
    assert.deepEqual((history as { id: string }[]).map(({ id }) => id), ["1", "2"]);
    await one.stop();
    assert.equal((await grace.next("left")).nickname, "Ada");
    await other.stop();
    await redis.close();
  });
});
