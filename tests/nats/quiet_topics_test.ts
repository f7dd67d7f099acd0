import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { natsEngine } from "../../src/nats/mod.ts";
import type { Engine, EngineTopic } from "../../src/topics/engine.ts";
import { NatsServer, NO_NATS } from "../support/nats_server.ts";
import { connector, historyStreams, manage } from "./harness.ts";

const QUIET: EngineTopic = { name: "quiet", history: { count: 100, age: 600 } };
const BUSY: EngineTopic = { ...QUIET, name: "busy" };
const EVENTS = {
  publication() {},
  presence() {},
  control() {},
  down() {},
  up() {},
  dropped() {},
  error() {},
};

let number = 0;
async function publish(engine: Engine, topic: EngineTopic): Promise<number> {
  const { position } = await engine.publish(topic, { data: "x", id: `${++number}` }, null);
  return position!.offset;
}

/** All that was published becomes too old to be kept. */
function grow({ port }: NatsServer): Promise<void> {
  return manage(port, async ({ streams }) => {
    for (const name of await historyStreams(port)) await streams.purge(name);
  });
}

describe("a topic of which nothing is kept any more, in a stream with busy ones", () => {
  it("is not lost to a server that has looked in time, and is to others", {
    skip: NO_NATS,
  }, async () => {
    const nats = await NatsServer.start();
    const [here, elsewhere] = [1, 2].map(() => natsEngine(connector(nats.port)));
    for (const engine of [here, elsewhere]) await engine.start(EVENTS);
    const read = async (engine: Engine) => {
      const { whole, position, publications } = await engine.read(QUIET, { after: 1, limit: 9 });
      assertEquals(publications, []);
      return [whole, position.offset];
    };
    await here.subscribe([QUIET]);
    assertEquals(await publish(here, QUIET), 1);
    assertEquals([await publish(here, BUSY), await publish(here, BUSY)], [2, 3]);
    const stands = async () => (await here.positions!([QUIET], [0]))[0].offset;
    assertEquals(await stands(), 1);
    await grow(nats);
    assertEquals([await stands(), await read(here)], [1, [true, 1]]);
    assertEquals(await read(elsewhere), [false, 3]);
    // What comes between looks, and is gone again, may have been anybody's.
    assertEquals(await publish(here, BUSY), 4);
    await grow(nats);
    assertEquals(await stands(), 4);
    assertEquals(await read(here), [false, 4]);
    for (const engine of [here, elsewhere]) await engine.close();
    await nats.close();
  });
});
