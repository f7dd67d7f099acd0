import type { Clock } from "./clock.ts";
import type { Engine } from "./engine.ts";
import type { Format } from "./envelope.ts";
import type { HubLimits } from "./limits.ts";
import type { Subscriber } from "./subscription.ts";
import type { ResolvedTopicSettings } from "./topic_settings.ts";

/** A message from server to server. */
export interface ControlMessage {
  /** What is asked for; a server that does not know it leaves it alone. */
  readonly kind: string;
  readonly [field: string]: string | number | boolean | undefined;
}

/** What a hub is made of. Handlers may throw; what they throw is reported. */
export interface HubOptions {
  /** What carries publications. The hub starts it and closes it. */
  readonly engine: Engine;
  /** Gives the settings of a topic. */
  readonly settings: (topic: string) => ResolvedTopicSettings;
  readonly limits: HubLimits;
  /** How publications are put on the wire unless a subscription says otherwise. */
  readonly plain: Format;
  /** How long a member is there unless written again, in seconds; default 60. */
  readonly presenceTime?: number;
  readonly clock?: Clock;
  /** Whether a connection may subscribe: false, or a throw, refuses it. A promise is waited for. */
  readonly onSubscribe?: (subscriber: Subscriber, topic: string) => unknown;
  /** A subscription that was admitted has ended. */
  readonly onUnsubscribe?: (subscriber: Subscriber, topic: string) => void;
  /** A topic has its first subscriber. */
  readonly onTopicOpen?: (topic: string) => void;
  /** A topic has lost its last subscriber. */
  readonly onTopicClose?: (topic: string) => void;
  /** A control message has come. */
  readonly onControl?: (message: ControlMessage) => void;
  /** The engine cannot be reached, which was reported. */
  readonly onDown?: (error: Error) => void;
  /** It can be reached, for the first time or again. */
  readonly onUp?: () => void;
  /** Something has failed. */
  readonly report: (error: Error, subscriber?: Subscriber) => void;
}
