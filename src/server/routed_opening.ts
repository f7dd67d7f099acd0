import { HttpError, type RequestHead, requestUrl } from "../protocol/mod.ts";
import type { Channel, LifeListener, MessageListener } from "../transport/channel.ts";
import type { Answer, Opening, Refusal, RequestInfo } from "../transport/transport.ts";
import { answerOf, DROP } from "./opening.ts";

/** What the opening of a peer needs whose route is not known yet. */
export interface RoutedOpeningHost {
  /** Gives back the seat that was taken for the peer. */
  release(): void;
  /** Takes the peer in, in another way, for a plain request. */
  serve(): Opening | Refusal;
  /**
   * Takes the peer in by the route of its request.
   *
   * @throws {HttpError} When there is none.
   */
  accept(url: string): Opening | Refusal | Promise<Opening | Refusal>;
  /** The peer has left before that was decided on. */
  left(): void;
}

/** The opening of a peer on a server with routes: from its request on it is that of its route. */
export class RoutedOpening implements Opening {
  readonly #host: RoutedOpeningHost;
  #opening: Opening | null = null;
  #gone = false;

  constructor(host: RoutedOpeningHost) {
    this.#host = host;
  }

  get messages(): MessageListener {
    return this.#opening!.messages;
  }

  get life(): LifeListener {
    return this.#opening!.life;
  }

  async request(request: Request, info: RequestInfo): Promise<Response> {
    this.#host.release();
    const opening = this.#host.serve();
    if (typeof opening === "number") {
      return new Response("Cannot take this connection\n", { status: opening });
    }
    this.#opening = opening;
    return await opening.request(request, info);
  }

  answer(head: RequestHead): Answer | Promise<Answer> {
    try {
      const opening = this.#host.accept(requestUrl(head, false));
      return opening instanceof Promise
        ? this.#answerLater(opening, head)
        : this.#ask(opening, head);
    } catch (error) {
      if (error instanceof HttpError) return answerOf(error);
      throw error;
    }
  }

  async #answerLater(opening: Promise<Opening | Refusal>, head: RequestHead): Promise<Answer> {
    return await this.#ask(await opening, head);
  }

  #ask(opening: Opening | Refusal, head: RequestHead): Answer | Promise<Answer> {
    if (typeof opening === "number") {
      return answerOf(new HttpError(opening, "Cannot take this connection"));
    }
    this.#opening = opening;
    if (!this.#gone) return opening.answer(head);
    opening.failed();
    return DROP;
  }

  opened(channel: Channel, extended?: boolean): void {
    this.#opening!.opened(channel, extended);
  }

  failed(): void {
    this.#gone = true;
    this.#host.release();
    if (this.#opening === null) this.#host.left();
    else this.#opening.failed();
  }
}
