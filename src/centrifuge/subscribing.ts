import { WebSocketError } from "../base/errors.ts";
import type { SubscribeResult } from "../connection/subscribing.ts";
import type { Envelope } from "../topics/envelope.ts";
import type { Publication } from "../topics/engine.ts";
import { cancelDeadline, startDeadline } from "../transport/deadlines.ts";
import { checkData } from "./codec.ts";
import { CentrifugeError, End, Failure } from "./codes.ts";
import { wirePublication } from "./formats.ts";
import type { Grant } from "./grant.ts";
import type { Link } from "./link.ts";
import type { StreamPosition, SubscribeReply, WirePublication } from "./messages.ts";

/** A client waits for 5 s. */
const SECONDS = 4;
/** The flag of a client that wants an error instead of a subscription that has not recovered. */
const REJECT_UNRECOVERED = 2;

/** How a subscription comes about. */
export interface Asked {
  /** Whether the server makes it. */
  readonly byServer: boolean;
  /** Where the client stands, and whether it wants what it has missed. */
  readonly position: (StreamPosition & { recover?: boolean; flag?: number }) | undefined;
  /** Called once it has begun, before the first publication: tells the client. */
  begun(reply: SubscribeReply): void;
}

/**
 * Subscribes a client.
 *
 * @param link The client.
 * @param topic The topic.
 * @param grant What it may do.
 * @param asked How it comes about.
 * @returns Settled once it has begun. Rejects with a {@linkcode CentrifugeError}.
 */
export async function subscribe(
  link: Link,
  topic: string,
  grant: Grant,
  asked: Asked,
): Promise<void> {
  const place = { grant, byServer: asked.byServer, ends: Infinity };
  if (link.state === "ended") throw Failure.INTERNAL;
  link.granted.set(topic, place);
  let refused: CentrifugeError | undefined;
  const deadline = {
    expired: () => {
      refused = Failure.INTERNAL;
      link.subscriptions.unsubscribe(topic);
    },
  };
  startDeadline(deadline, SECONDS);
  try {
    const { fields, ends } = link.lifetime(grant.expires);
    place.ends = ends;
    const recovery = await Recovery.prepare(link, topic, grant, asked.position);
    if (refused !== undefined) throw refused;
    const data = checkData(grant.data, link.codec);
    await link.subscriptions.subscribe(topic, {
      position: recovery.position,
      format: grant.joinLeave ? link.formats.withJoins : link.formats.quiet,
      member: link.member(grant),
      announce: grant.joinLeave,
      begin(result, missed) {
        try {
          asked.begun({ ...recovery.reply(result, missed), ...fields, data });
        } catch (error) {
          refused = error as CentrifugeError;
          link.subscriptions.unsubscribe(topic);
        }
      },
    });
    if (refused !== undefined) throw refused;
  } catch (error) {
    if (link.granted.get(topic) === place) link.granted.delete(topic);
    throw refused ?? failure(error);
  } finally {
    cancelDeadline(deadline, SECONDS);
  }
}

/** What a client is told of why it cannot subscribe; anything unforeseen is thrown on. */
function failure(error: unknown): unknown {
  if (!(error instanceof WebSocketError)) return error;
  switch (error.code) {
    case "ERR_REFUSED":
      return Failure.DENIED;
    case "ERR_LIMIT":
      return Failure.LIMIT;
    case "ERR_HANDLER":
    case "ERR_STATE":
      // The hub has reported what is worth it.
      return Failure.INTERNAL;
    default:
      return error;
  }
}

type Position = Asked["position"];

/** What a client that comes back is given. */
class Recovery {
  /** From where on the topic is to give what was missed. */
  position: { epoch: string; offset: number } | undefined = undefined;
  readonly #link: Link;
  readonly #asked: NonNullable<Position>;
  readonly #mode: Grant["recover"];
  // The newest publication when the topic was asked; null where none is kept.
  #newest: Publication | null = null;

  private constructor(link: Link, asked: Position, mode: Grant["recover"]) {
    this.#link = link;
    this.#asked = asked ?? {};
    this.#mode = mode;
  }

  /** Finds out from where on to recover. */
  static async prepare(
    link: Link,
    topic: string,
    grant: Grant,
    asked: Position,
  ): Promise<Recovery> {
    const { history, slow } = link.host.topicSettings(topic);
    const possible = history !== null && slow !== "drop";
    const wanted = slow === "latest" && grant.recover ? "latest" : grant.recover;
    const recovery = new Recovery(link, asked, possible ? wanted : false);
    if (!recovery.#mode || !asked?.recover) return recovery;
    const { epoch = "", offset = 0 } = asked;
    recovery.position = { epoch, offset };
    if (recovery.#mode === "latest") {
      // What is published after this moment is missed by this very subscription, which then is given it.
      const page = await link.host.hub.history(topic, { limit: 1, reverse: true });
      recovery.position = page.position;
      recovery.#newest = page.publications.at(0) ?? null;
    }
    return recovery;
  }

  /** Makes the answer to a subscription that has begun. */
  reply(result: SubscribeResult, missed: readonly Envelope[]): SubscribeReply {
    if (!this.#mode) return { was_recovering: this.#asked.recover };
    const { recover = false, flag = 0, offset = 0, epoch = "" } = this.#asked;
    const { position, recovered } = result;
    const fields = { ...position, recoverable: true, positioned: true, was_recovering: recover };
    if (!recover) return fields;
    if (this.#mode === "latest") {
      const newest = missed.at(-1)?.publication ?? this.#newest;
      if (recovered && newest !== null) {
        const known = newest.offset === offset && (epoch === "" || epoch === position?.epoch);
        const publications = known ? [] : this.#write([newest]);
        // Publications move the position that the client is told of.
        return { ...fields, offset: newest.offset! - publications.length, publications, recovered };
      }
    } else if (recovered) {
      const publications = this.#write(missed.map((it) => it.publication));
      return { ...fields, offset, publications, recovered };
    }
    if ((flag & REJECT_UNRECOVERED) !== 0) throw Failure.UNRECOVERABLE;
    return fields;
  }

  #write(publications: readonly Publication[]): WirePublication[] {
    return publications.map((it) => {
      const written = wirePublication(it, this.#link.codec);
      if (written === null) throw new CentrifugeError(...End.INAPPROPRIATE);
      return written;
    });
  }
}
