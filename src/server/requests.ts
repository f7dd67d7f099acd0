import { handlerError } from "../base/errors.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { formatFields } from "../protocol/mod.ts";
import { isUsed } from "../transport/used_body.ts";
import type { RequestInfo } from "../transport/transport.ts";
import type { Reports } from "./reports.ts";
import type { Settings } from "./settings.ts";

/** Plain HTTP requests, as `onRequest` serves them. */
export class Requests<S, C extends WebSocketConnection> {
  readonly #settings: Pick<Settings<S, C>, "onRequest" | "trustProxy">;
  readonly #reports: Reports<S, C>;
  readonly #stopping: AbortSignal;
  readonly #underWay = new Set<Promise<Response>>();

  constructor(
    settings: Pick<Settings<S, C>, "onRequest" | "trustProxy">,
    reports: Reports<S, C>,
    stopping: AbortSignal,
  ) {
    this.#settings = settings;
    this.#reports = reports;
    this.#stopping = stopping;
  }

  /** Serves a request; never rejects. */
  async serve(request: Request, info: RequestInfo): Promise<Response> {
    if (this.#stopping.aborted) {
      return new Response("Cannot serve requests any more: shutting down\n", { status: 503 });
    }
    const answering = this.#answer(request, info);
    this.#underWay.add(answering);
    try {
      return await answering;
    } finally {
      this.#underWay.delete(answering);
    }
  }

  /** How many handlers are at work. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** Settles when no handler is at work any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #answer(request: Request, info: RequestInfo): Promise<Response> {
    try {
      const { trustProxy, onRequest } = this.#settings;
      const { ip, port } = trustProxy?.clientOf(request.headers, info.remote) ?? info.remote;
      return checkResponse(await onRequest!(request, { ...info, remote: { ip, port } }));
    } catch (error) {
      this.#reports.report(handlerError("onRequest", error));
      return new Response("Internal Server Error\n", { status: 500 });
    }
  }
}

/** Refuses what cannot be sent: an engine may have no other way out than to end the process. */
function checkResponse(response: unknown): Response {
  if (!(response instanceof Response)) throw new TypeError("it gave no Response");
  const { status, headers } = response;
  if (status < 200) {
    throw new TypeError(`it gave a Response of status ${status}, which is not final`);
  }
  if (isUsed(response)) {
    throw new TypeError("it gave a Response that was used: make one for each request");
  }
  // `Headers` lets control characters pass.
  formatFields(headers);
  return response;
}
