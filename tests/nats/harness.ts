import { connect, type NatsConnection } from "@nats-io/transport-node";
import { jetstreamManager } from "@nats-io/jetstream";
import type { Engine, EngineTopic } from "../../src/topics/engine.ts";
import { natsEngine } from "../../src/nats/mod.ts";
import { Subjects } from "../../src/nats/subjects.ts";
import type { NatsServer } from "../support/nats_server.ts";
import type { EngineHarness } from "../topics/engine_suite.ts";

/** Connects as an application does. */
export function connector(port: number): () => Promise<NatsConnection> {
  return () => connect({ servers: `127.0.0.1:${port}` });
}

/** A place for servers to meet on one NATS: always the same, since making streams takes time. */
export function natsHarness(
  server: NatsServer,
): Required<Pick<EngineHarness, "cut" | "rewind">> & {
  join(): Engine;
  close(): void;
} {
  const prefix = "place";
  return {
    join: () => natsEngine(connector(server.port), { prefix }),
    close() {},
    async cut() {
      await server.kill();
      return () => server.start();
    },
    rewind: (topic, publications) => rewind(server.port, prefix, topic, publications),
  };
}

/** Does something with the streams of a NATS, from outside. */
export async function manage<T>(
  port: number,
  act: (manager: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<T>,
): Promise<T> {
  const outside = await connect({ servers: `127.0.0.1:${port}` });
  try {
    return await act(await jetstreamManager(outside));
  } finally {
    await outside.close();
  }
}

/** Has a topic's stream lose its last publications, as if an old copy of it had come back. */
function rewind(
  port: number,
  prefix: string,
  topic: EngineTopic,
  publications: number,
): Promise<void> {
  const kind = new Subjects(prefix).history(topic.history!).stream;
  return manage(port, async ({ streams }) => {
    for (const name of await historyStreams(port, prefix)) {
      if (!name.startsWith(kind)) continue;
      const { config, state } = await streams.info(name);
      await streams.delete(name);
      await streams.add({ ...config, first_seq: state.last_seq - publications + 1 });
    }
  });
}

/** Gives the streams of topics with history. */
export function historyStreams(port: number, prefix = "duet"): Promise<string[]> {
  return manage(port, async (manager) => {
    const names: string[] = [];
    for await (const name of manager.streams.names()) {
      if (/^\d/.test(name.slice(prefix.length + 1)) && name.startsWith(`${prefix}_`)) {
        names.push(name);
      }
    }
    return names;
  });
}

/** Gives the streams in which something is kept for ever. */
export function lasting(port: number): Promise<string[]> {
  return manage(port, async (manager) => {
    const names: string[] = [];
    for await (const { config, state } of manager.streams.list()) {
      if (
        !config.name.endsWith("_epochs") && config.max_age === 0 && !config.allow_msg_ttl &&
        state.messages > 0
      ) {
        names.push(config.name);
      }
    }
    return names;
  });
}
