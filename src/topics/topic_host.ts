import type { Clock } from "./clock.ts";
import type { Engine } from "./engine.ts";
import type { StreamCounts } from "./follower.ts";
import type { HubLimits } from "./limits.ts";
import type { Subscriber, Subscription } from "./subscription.ts";

/** What has happened on a topic, on this server. */
export interface TopicCounts extends StreamCounts {
  /** Publications that subscribers were given: each counts once. */
  published: number;
  /** Publications left out for slow subscribers: each counts for each. */
  dropped: number;
  /** Publications that gave way to a newer one of their key, for slow subscribers. */
  replaced: number;
  /** Connections that were ended since they were slow. */
  disconnected: number;
}

/** What topics need of the hub. */
export interface TopicHost {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly limits: HubLimits;
  /** Who is not to be given a publication; asked once for each. */
  takeExcept(id: string): ReadonlySet<Subscriber> | undefined;
  /** A subscription has begun. */
  began(subscription: Subscription): void;
  report(error: Error, subscriber?: Subscriber): void;
}
