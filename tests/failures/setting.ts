import type { Engine } from "../../src/topics/engine.ts";
import { NO_REDIS } from "../support/redis_server.ts";

/** Something that becomes of an engine. */
export interface Fault {
  readonly name: string;
  /** Whether what was stored is lost, which subscribers then have to be told; "maybe" where chance decides. */
  readonly loses: boolean | "maybe";
  /** Whether the suite leaves it to `npm run failures`. */
  readonly long?: boolean;
}

/** A fault, and what has it happen and be over. */
export interface FaultOf<Running> extends Fault {
  happen(running: Running): Promise<void>;
}

/** What a setting runs. */
export interface Running {
  /** What a server's engine is made of, as JSON: `engineOf` reads it. */
  readonly address: unknown;
  /** The keys that do not expire: there must be none. */
  lasting(): Promise<string[]>;
  close(): Promise<void>;
}

/** A setting at work, whose faults can be made to happen. */
export interface Place extends Running {
  happen(fault: Fault): Promise<void>;
}

/** One way to set engines up, and all that can become of them. */
export interface Setting {
  readonly name: string;
  /** Why it cannot be tried here; undefined where it can. */
  readonly missing: string | undefined;
  readonly faults: readonly Fault[];
  /** Makes an engine for one more server. */
  engineOf(address: unknown): Engine;
  start(): Promise<Place>;
}

/** Makes a setting of what runs and of its faults. */
export function setting<R extends Running>(
  name: string,
  engineOf: (address: R["address"]) => Engine,
  start: () => Promise<R>,
  faults: readonly FaultOf<R>[],
  missing: string | undefined = NO_REDIS,
): Setting {
  return {
    name,
    missing,
    faults,
    engineOf,
    async start() {
      const running = await start();
      return {
        address: running.address,
        lasting: () => running.lasting(),
        close: () => running.close(),
        happen: (fault) => faults[faults.indexOf(fault as FaultOf<R>)].happen(running),
      };
    },
  };
}
