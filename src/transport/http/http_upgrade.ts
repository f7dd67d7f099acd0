import { isHostField, isUpgradeRequest, RequestHead, requestUrl } from "../../protocol/mod.ts";
import {
  type Answer,
  type ClientAddress,
  type Opening,
  type Prepared,
  reasonOf,
  type Refusal,
  type TransportHost,
} from "../transport.ts";

/** An answer of 101, with whom it opens. */
export interface Accepted {
  readonly opening: Opening;
  readonly answer: Extract<Answer, { status: 101 }>;
}

/** What becomes of a request. */
export type Decision = Accepted | Response;

/**
 * Has the server decide on a request that reached a runtime's HTTP server.
 *
 * @param host The server.
 * @param request The request.
 * @param remote Where it came from.
 * @param secure Whether it came over TLS; where that is not known, the scheme of its URL tells.
 * @param prepared What the application says of it beforehand, if it is the application's request.
 * @returns What opens the WebSocket, or the response that refuses it; a promise only where a handler
 * made one, since each costs as much as the rest of this.
 */
export function decide(
  host: TransportHost,
  request: Request,
  remote: ClientAddress,
  secure: boolean | undefined,
  prepared?: Prepared,
): Decision | Promise<Decision> {
  const { url, headers } = request;
  // Read whole beforehand: after the upgrade Deno's request can't be read any more.
  const head = new RequestHead(request.method, url, 1, fieldsOf(headers));
  // Deno passes on what a client has made up of the form that it gives to URLs of Unix sockets itself.
  const madeUp = remote.unix !== true && /^http\+/i.test(url);
  if (madeUp || !tellsUrl(head)) return refusal(host, remote, 400);
  if (host.servesRequests && !isUpgradeRequest(head)) return host.request(request, { remote });
  const peer = {
    remote,
    secure: secure ?? /^(?:http|ws)s(?:\+unix)?:/i.test(url),
    native: request,
    prepared,
    destroy,
  };
  const opening = host.accept(peer);
  if (!(opening instanceof Promise)) return ask(host, remote, opening, head, request);
  return whileThere(request, opening, () => host.left(peer))
    .then((accepted) => ask(host, remote, accepted, head, request));
}

/**
 * Tells whether it is known what the client has asked for: engines put the URL together from any target and
 * Host field, and guess the host where there is none.
 */
function tellsUrl(head: RequestHead): boolean {
  const host = head.get("host");
  if (!host || !isHostField(host)) return false;
  try {
    requestUrl(head, false);
    return true;
  } catch {
    return false;
  }
}

/** Before its request is answered an engine cannot drop a peer. */
function destroy(): void {}

function ask(
  host: TransportHost,
  remote: ClientAddress,
  opening: Opening | Refusal,
  head: RequestHead,
  request: Request,
): Decision | Promise<Decision> {
  if (typeof opening === "number") return refusal(host, remote, opening);
  const answer = opening.answer(head);
  if (!(answer instanceof Promise)) return decisionOf(host, remote, opening, answer);
  return whileThere(request, answer, () => opening.failed())
    .then((decided) => decisionOf(host, remote, opening, decided));
}

/** Waits for a result, and tells when the peer has left meanwhile. */
async function whileThere<T>(
  { signal }: Request,
  result: Promise<T>,
  left: () => void,
): Promise<T> {
  signal.addEventListener("abort", left);
  try {
    return await result;
  } finally {
    signal.removeEventListener("abort", left);
  }
}

function decisionOf(
  host: TransportHost,
  remote: ClientAddress,
  opening: Opening,
  answer: Answer,
): Decision {
  if ("extensions" in answer) return { opening, answer };
  opening.failed();
  // Nothing of it is looked at here: to ask for its body would cost an engine what it knows of its length.
  if ("response" in answer) {
    host.refused(remote, answer.response.status, "");
    return answer.response;
  }
  if (!("body" in answer)) return refusal(host, remote, 403);
  const { status, headers, body } = answer;
  host.refused(remote, status, reasonOf(answer));
  // A status that cannot have a body, such as 304, does not take an empty one either.
  return new Response(body.length > 0 ? body as string : null, { status, headers });
}

const REASONS: Readonly<Record<Refusal | 400, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

function refusal(host: TransportHost, remote: ClientAddress, status: Refusal | 400): Response {
  host.refused(remote, status, REASONS[status]);
  return new Response(`${REASONS[status]}\n`, { status });
}

/** The response to a peer that may be opened, but whose WebSocket the engine does not open. */
export function cannotOpen(): Response {
  return new Response("Cannot open a WebSocket\n", { status: 400 });
}

function fieldsOf(headers: Headers): string {
  let fields = "";
  for (const [name, value] of headers) fields += `\r\n${name}: ${value}`;
  return fields;
}
