import { connect, type NatsConnection } from "@nats-io/transport-node";
import { jetstreamManager } from "@nats-io/jetstream";
import type { Engine, EngineTopic } from "../../src/topics/engine.ts";
import { natsEngine } from "../../src/nats/mod.ts";
import { Subjects } from "../../src/nats/subjects.ts";
import type { NatsServer } from "../support/nats_server.ts";
import type { EngineHarness } from "../topics/engine_suite.ts";

let places = 0;

/** Connects as an application does. */
export function connector(port: number): () => Promise<NatsConnection> {
  return () => connect({ servers: `127.0.0.1:${port}` });
}

/** A place for servers to meet on one NATS. */
export function natsHarness(
  server: NatsServer,
): Required<Pick<EngineHarness, "cut" | "rewind">> & {
  join(): Engine;
  close(): void;
  readonly prefix: string;
} {
  const prefix = `place${++places}`;
  return {
    prefix,
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

/** Has a topic lose its last publications, as if an old copy of its stream had come back. */
async function rewind(
  port: number,
  prefix: string,
  topic: EngineTopic,
  publications: number,
): Promise<void> {
  const [name] = await historyStreams(port, prefix);
  const outside = await connect({ servers: `127.0.0.1:${port}` });
  const { streams } = await jetstreamManager(outside);
  const { config, state } = await streams.info(name);
  const subject = subjectOf(topic, prefix);
  const kept: Uint8Array[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq - publications; seq++) {
    kept.push((await streams.getMessage(name, { seq }))!.data);
  }
  await streams.delete(name);
  const { republish: _, ...quiet } = config;
  await streams.add(quiet as typeof config);
  for (const data of kept) await outside.request(subject, data);
  // Only what is new is announced.
  await streams.update(name, config);
  await outside.close();
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
      if (config.max_age === 0 && !config.allow_msg_ttl && state.messages > 0) {
        names.push(config.name);
      }
    }
    return names;
  });
}

/** Where a topic is published. */
export function subjectOf(topic: EngineTopic, prefix = "duet"): string {
  return new Subjects(prefix).publications(topic.name, topic.history);
}
