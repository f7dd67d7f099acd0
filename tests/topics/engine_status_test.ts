import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type EngineMessage, type Logger, MemoryEngine, WebSocketServer } from "../../mod.ts";
import type { EngineEvents, EngineState } from "../../src/topics/engine.ts";

/** An engine that is away until a test has it come. */
class RemoteEngine extends MemoryEngine {
  override readonly name: string = "remote";
  events!: EngineEvents;
  readonly started = Promise.withResolvers<void>();
  now: EngineState = { up: false, since: 1, lag: 0 };

  override get state(): EngineState {
    return this.now;
  }

  override start(events: EngineEvents): void {
    this.events = events;
    return this.started.promise as unknown as void;
  }

  come(since: number): void {
    this.now = { up: true, since, lag: 0.5 };
    this.started.resolve();
    this.events.up();
  }

  go(since: number): void {
    this.now = { up: false, since, lag: 0 };
    this.events.down(new Error("gone"));
  }
}

/** Keeps what is published on the channels of engines, of one server. */
function listen(server: () => unknown) {
  const heard: [name: string, message: EngineMessage][] = [];
  const hear = (message: unknown, name: string | symbol) => {
    const it = message as EngineMessage;
    if (it.server === server()) heard.push([String(name), it]);
  };
  const names = ["duet.engine.down", "duet.engine.up"];
  for (const name of names) subscribe(name, hear);
  return {
    heard,
    [Symbol.dispose]() {
      for (const name of names) unsubscribe(name, hear);
    },
  };
}

const settled = async (promise: Promise<unknown>) =>
  await Promise.race([promise.then(() => true), Promise.resolve(false)]);

describe("server.engine", () => {
  it("in memory it is always up, and ready with the first use of a topic", async () => {
    await using server = new WebSocketServer();
    using told = listen(() => server);
    const { name, state, ready } = server.engine;
    assertEquals([name, state.up, state.lag], ["memory", true, 0]);
    assert(state.since <= Date.now());
    assertEquals(await settled(ready), false);
    await server.publish("t", "x");
    await ready;
    assertEquals(told.heard.map(([name, { engine }]) => [name, engine]), [
      ["duet.engine.up", "memory"],
    ]);
  });

  it("tells the state, the channels and the log when the engine goes and comes back", async () => {
    const engine = new RemoteEngine();
    const lines: string[] = [];
    const log = (level: string) => (line: string) => void lines.push(`${level} ${line}`);
    const logger: Logger = {
      debug: log("debug"),
      info: log("info"),
      warn: log("warn"),
      error: log("error"),
    };
    const errors: Error[] = [];
    const server = new WebSocketServer({
      engine,
      logger,
      debug: 3,
      port: 0,
      hostname: "127.0.0.1",
      onError: (_server, error) => void errors.push(error),
    });
    using told = listen(() => server);
    await server.start();
    assertEquals([server.engine.state.up, await settled(server.engine.ready)], [false, false]);
    engine.come(2);
    await server.engine.ready;
    assertEquals(server.engine.state, { up: true, since: 2, lag: 0.5 });
    engine.go(3);
    assertEquals(server.engine.state, { up: false, since: 3, lag: 0 });
    engine.come(4);
    // The first promise says nothing of later.
    await server.engine.ready;
    await server.shutdown();
    assertEquals(
      told.heard.map(([name, { engine, state, error }]) => [name, engine, state.since, error]),
      [
        ["duet.engine.up", "remote", 2, undefined],
        ["duet.engine.down", "remote", 3, told.heard[1][1].error],
        ["duet.engine.up", "remote", 4, undefined],
      ],
    );
    assertEquals(told.heard[1][1].error?.message, "gone");
    assertEquals(errors.map(({ message }) => message), ["gone"]);
    const ofEngine = lines.map((line) => line.replace(/\d+\.\d/, "0.0"))
      .filter((line) => /gone|engine/.test(line));
    assertEquals(ofEngine, [
      "error gone",
      "info The engine remote can be reached again, after 0.0 s",
    ]);
  });

  it("ready rejects when the engine never will be up, and when the server ends before", async () => {
    const engine = new RemoteEngine();
    await using server = new WebSocketServer({ engine, debug: 0 });
    void server.publish("t", "x");
    engine.started.reject(new Error("a wrong password"));
    await assertRejects(() => server.engine.ready, Error, "a wrong password");

    const never = new WebSocketServer({ engine: new RemoteEngine(), debug: 0 });
    void never.publish("t", "x");
    await never.shutdown();
    await assertRejects(() => never.engine.ready, Error);

    const unused = new WebSocketServer({ engine: new RemoteEngine(), debug: 0 });
    await unused.shutdown();
    await assertRejects(() => unused.engine.ready, Error);
  });
});
