import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { connect } from "@nats-io/transport-node";
import { WebSocketError } from "../../src/base/errors.ts";
import { type NatsConnection, natsEngine, type NatsEngineOptions } from "../../src/nats/mod.ts";
import type { EngineTopic } from "../../src/topics/engine.ts";
import { NatsServer, NO_NATS, NO_OLD_NATS } from "../support/nats_server.ts";
import { patiently } from "../support/patience.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { connector } from "./harness.ts";

type Connect = () => PromiseLike<NatsConnection>;

const EVENTS = {
  publication() {},
  presence() {},
  control() {},
  down() {},
  up() {},
  dropped() {},
  error() {},
};
const KEPT: EngineTopic = { name: "kept", history: { count: 10, age: 60 } };
const UNKEPT: EngineTopic = { name: "unkept", history: null };

/** What starting with a function comes to. */
async function failure(make: unknown): Promise<WebSocketError> {
  const engine = natsEngine(make as Connect);
  const error = await patiently(
    Promise.resolve(engine.start(EVENTS)).then(() => null, (error) => error),
    "an error",
  );
  await engine.close();
  assert(error instanceof WebSocketError, String(error));
  return error;
}

async function rejection(asked: () => PromiseLike<unknown> | unknown): Promise<WebSocketError> {
  const error = await Promise.resolve().then(asked).then(() => null, (error) => error);
  assert(error instanceof WebSocketError, String(error));
  return error;
}

describe("what a wrong use of natsEngine gets", () => {
  it("no function, or a URL", () => {
    for (const it of [undefined, null, "nats://localhost", {}]) {
      const error = assertThrows(
        () => natsEngine(it as unknown as Connect),
        WebSocketError,
        "it takes a function that connects",
      );
      assertEquals((error as WebSocketError).code, "ERR_INVALID_ARGUMENT");
    }
  });

  it("a connection in place of a function", { skip: NO_NATS }, async () => {
    const nats = await NatsServer.start();
    const connection = await connect({ servers: `127.0.0.1:${nats.port}` });
    assertThrows(
      () => natsEngine(connection as unknown as Connect),
      WebSocketError,
      "a connection that was closed never comes back",
    );
    await connection.close();
    await nats.close();
  });

  it("an option out of range", () => {
    const make = (options: object) => () => natsEngine(connector(1), options as NatsEngineOptions);
    for (const prefix of ["", "a.b", "a b", ">", 7]) {
      assertThrows(make({ prefix }), WebSocketError, "Cannot use prefix");
    }
    assertThrows(
      make({ replicas: 2 }),
      WebSocketError,
      "Cannot use replicas 2: it takes 1, 3 or 5",
    );
  });

  it("no client library: a module that is not there, or a function that is not", async () => {
    const missing = "@nats-io/transport-that-is-not-there";
    const { code, message } = await failure(() => import(missing));
    assertEquals(code, "ERR_INVALID_ARGUMENT");
    assert(message.includes("Install @nats-io/transport-node 3"), message);
    const undefinedFunction = undefined as unknown as () => never;
    const mistake = await failure(() => undefinedFunction());
    assertEquals(mistake.code, "ERR_INVALID_ARGUMENT");
    assert(mistake.message.includes("Give a function that connects"), mistake.message);
  });

  it("a function that gives something else than a connection", async () => {
    for (const made of [undefined, {}, { publish() {}, subscribe() {}, close() {} }]) {
      const { code, message } = await failure(() => Promise.resolve(made));
      assertEquals(code, "ERR_INVALID_ARGUMENT");
      assert(message.includes("Install @nats-io/transport-node 3"), message);
    }
  });

  it("a wrong password, or none", { skip: NO_NATS }, async () => {
    const nats = await NatsServer.start("--user", "ada", "--pass", "right");
    // NATS resets whom it refuses; at that moment its client listens to no error, which would end this process.
    const proxy = await TcpProxy.start(nats.port);
    const servers = `127.0.0.1:${proxy.port}`;
    for (const pass of ["wrong", undefined]) {
      const { code, message } = await failure(() => connect({ servers, user: "ada", pass }));
      assertEquals(code, "ERR_REFUSED");
      assert(message.includes("password"), message);
    }
    const engine = natsEngine(() => connect({ servers, user: "ada", pass: "right" }));
    await engine.start(EVENTS);
    assertEquals(engine.state.up, true);
    await engine.close();
    await proxy.close();
    await nats.close();
  });

  it("a NATS without JetStream", { skip: NO_NATS }, async () => {
    const nats = await NatsServer.startBare();
    const { code, message } = await failure(connector(nats.port));
    assertEquals(code, "ERR_UNSUPPORTED");
    assert(message.includes("Start nats-server with -js"), message);
    await nats.close();
  });

  it("NATS 2.9 with history or presence; without them it serves", {
    skip: NO_OLD_NATS,
  }, async () => {
    const nats = await NatsServer.startOld();
    const engine = natsEngine(connector(nats.port));
    await engine.start(EVENTS);
    const refused = await engine.publish(KEPT, { data: "", id: "1" }, null);
    assertEquals(refused.accepted, false);
    const entry = [{ topic: UNKEPT, member: { id: "c", user: "u" } }];
    const errors = [
      refused.error as WebSocketError,
      await rejection(() => engine.subscribe([UNKEPT, KEPT])),
      await rejection(() => engine.read(KEPT, { limit: 1 })),
      await rejection(() => engine.enter(entry, 60)),
      await rejection(() => engine.members(UNKEPT, 1)),
    ];
    for (const { code, message } of errors) {
      assertEquals(code, "ERR_UNSUPPORTED");
      assert(message.includes("Cannot keep history or presence with NATS 2.9."), message);
      assert(message.includes("Upgrade"), message);
    }
    await engine.subscribe([UNKEPT]);
    assertEquals((await engine.publish(UNKEPT, { data: "", id: "2" }, null)).accepted, true);
    await engine.close();
    await nats.close();
  });

  it("a publication that is too large for NATS", { skip: NO_NATS }, async () => {
    const nats = await NatsServer.start();
    const engine = natsEngine(connector(nats.port));
    await engine.start(EVENTS);
    const data = new Uint8Array(1024 * 1024);
    for (const topic of [KEPT, UNKEPT]) {
      const { accepted, error } = await engine.publish(topic, { data, id: topic.name }, null);
      assertEquals(accepted, false);
      assert(error!.message.includes("max_payload"), error!.message);
    }
    assertEquals((await engine.publish(KEPT, { data: "x", id: "3" }, null)).accepted, true);
    await engine.close();
    await nats.close();
  });

  it("servers that keep different histories of one topic are told", {
    skip: NO_NATS,
  }, async () => {
    const nats = await NatsServer.start();
    const [one, two] = [natsEngine(connector(nats.port)), natsEngine(connector(nats.port))];
    await one.start(EVENTS);
    const told = Promise.withResolvers<Error>();
    let publications = 0;
    await two.start({ ...EVENTS, error: told.resolve, publication: () => void publications++ });
    await two.subscribe([KEPT]);
    const other: EngineTopic = { name: KEPT.name, history: { count: 99, age: 60 } };
    await one.publish(other, { data: "x", id: "1" }, null);
    const { message } = await patiently(told.promise, "an error");
    assert(message.includes('Give all servers the same option "topics"'), message);
    assertEquals(publications, 0);
    await one.close();
    await two.close();
    await nats.close();
  });

  it("a NATS that is not there yet: it is waited for", { skip: NO_NATS }, async () => {
    const nats = await NatsServer.start();
    await nats.kill();
    const engine = natsEngine(connector(nats.port));
    const down = Promise.withResolvers<Error>();
    let downs = 0;
    const started = Promise.resolve(
      engine.start({
        ...EVENTS,
        down(error) {
          downs++;
          down.resolve(error);
        },
      }),
    );
    const { accepted } = await engine.publish(UNKEPT, { data: "", id: "1" }, null);
    assertEquals([accepted, engine.state.up], [false, false]);
    const { message } = await patiently(down.promise, "down");
    assert(message.startsWith("Cannot reach NATS"), message);
    await nats.start();
    await patiently(started, "the engine");
    assertEquals([engine.state.up, downs], [true, 1]);
    await engine.close();
    await nats.close();
  });
});
