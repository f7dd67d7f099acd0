import { after, it } from "node:test";
import { NatsServer, NO_NATS, NO_OLD_NATS } from "../support/nats_server.ts";
import { testEngine } from "../topics/engine_suite.ts";
import { natsHarness } from "./harness.ts";

if (NO_NATS === undefined) {
  const server = await NatsServer.start();
  after(() => server.close());
  testEngine("nats", () => natsHarness(server), { can: ["cut", "rewind"] });
} else {
  it("the suite of engines over NATS", { skip: NO_NATS }, () => {});
}

if (NO_OLD_NATS === undefined) {
  const server = await NatsServer.startOld();
  after(() => server.close());
  const needs = "NATS 2.9 has no history and no presence for engines";
  testEngine("nats 2.9", () => natsHarness(server), {
    can: ["cut"],
    lacks: { history: needs, presence: needs },
  });
} else {
  it("the suite of engines over NATS 2.9", { skip: NO_OLD_NATS }, () => {});
}
