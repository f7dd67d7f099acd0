import type { Engine } from "../../src/topics/engine.ts";
import { NATS_SETTINGS } from "./nats_settings.ts";
import { REDIS_SETTINGS } from "./redis_settings.ts";
import type { Setting } from "./setting.ts";

/** All ways to run servers together. */
export const SETTINGS: readonly Setting[] = [...REDIS_SETTINGS, ...NATS_SETTINGS];

/** Makes an engine in a server's process: what it is told is the name of a setting, and its address as JSON. */
export function engineIn(name: string, address: string): Engine {
  return SETTINGS.find((it) => it.name === name)!.engineOf(JSON.parse(address));
}
