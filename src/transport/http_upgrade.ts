import { isUpgradeRequest } from "../protocol/mod.ts";
import type { Address, Answer, Opening, TransportHost, UpgradeRequest } from "./transport.ts";

/** A runtime's `Request`, read whole beforehand: after the upgrade it can't be read any more. */
class HttpUpgradeRequest implements UpgradeRequest {
  readonly method: string;
  readonly minorVersion = 1;
  readonly url: string;
  readonly secure: boolean;
  readonly #headers: Headers;

  constructor(request: Request) {
    this.method = request.method;
    this.url = request.url.replace(/^http/, "ws");
    this.secure = request.url.startsWith("https:");
    this.#headers = new Headers(request.headers);
  }

  get(name: string): string | null {
    return this.#headers.get(name);
  }

  fields(): Iterable<readonly [name: string, value: string]> {
    return this.#headers;
  }
}

/** An answer of 101, with whom it opens. */
export interface Accepted {
  readonly opening: Opening;
  readonly answer: Extract<Answer, { status: 101 }>;
}

/**
 * Has the server decide on a request that reached a runtime's HTTP server.
 *
 * @param host The server.
 * @param request The request.
 * @param remote Where it came from.
 * @returns What opens the WebSocket, or the response that refuses it.
 */
export async function decide(
  host: TransportHost,
  request: Request,
  remote: Address,
): Promise<Accepted | Response> {
  const upgrade = new HttpUpgradeRequest(request);
  if (!isUpgradeRequest(upgrade) && host.servesRequests) {
    return await host.request(request, { remote });
  }
  const opening = await host.accept({
    remote,
    secure: upgrade.secure,
    native: request,
    destroy: () => {},
  });
  if (opening === null) return forbidden();
  const answer = await opening.answer(upgrade);
  if ("extensions" in answer) return { opening, answer };
  opening.failed();
  return "body" in answer
    ? new Response(answer.body as string, { status: answer.status, headers: answer.headers })
    : forbidden();
}

function forbidden(): Response {
  return new Response("Forbidden\n", { status: 403 });
}
