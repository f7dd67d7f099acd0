import type { SharedMessage } from "../transport/channel.ts";
import type { Member, Publication } from "./engine.ts";

/** How publications go over the wire to some subscribers. One object serves all of them. */
export interface Format {
  /**
   * Puts a publication into this format; called once for each publication, however many subscribers there
   * are.
   *
   * @param topic The topic's name.
   * @param publication The publication.
   * @returns The message, or null for a publication that this format has no way to tell.
   */
  publication(topic: string, publication: Publication): SharedMessage | null;
  /**
   * Puts a coming or going into this format; left out where subscribers are not told.
   *
   * @param topic The topic's name.
   * @param kind What has happened.
   * @param member Who it is.
   * @returns The message.
   */
  presence?(topic: string, kind: "join" | "leave", member: Member): SharedMessage;
}

/** A publication on its way to the subscribers of this server, with what it was encoded to. */
export class Envelope {
  /** The topic's name. */
  readonly topic: string;
  /** What was published. */
  readonly publication: Publication;
  // The first format has a place of its own: most topics have one only.
  #format: Format | null = null;
  #message: SharedMessage | null = null;
  #others: Map<Format, SharedMessage | null> | null = null;

  /**
   * @param topic The topic's name.
   * @param publication What was published.
   */
  constructor(topic: string, publication: Publication) {
    this.topic = topic;
    this.publication = publication;
  }

  /**
   * Gives the publication in a format, encoding it the first time.
   *
   * @param format The format.
   * @returns The message, or null where the format has no way to tell it.
   */
  in(format: Format): SharedMessage | null {
    if (this.#format === format) return this.#message;
    if (this.#format === null) {
      this.#message = format.publication(this.topic, this.publication);
      this.#format = format;
      return this.#message;
    }
    let message = (this.#others ??= new Map()).get(format);
    if (message === undefined) {
      this.#others.set(format, message = format.publication(this.topic, this.publication));
    }
    return message;
  }
}
