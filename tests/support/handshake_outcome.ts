import { assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { WebSocketError, type WebSocketServerOptions } from "../../mod.ts";
import { Journal } from "./journal.ts";
import { RawClient, type RawResponse, upgradeRequest } from "./raw_client.ts";
import { handling, serve, type Variant } from "./transports.ts";

/** What must not get to a peer. */
export const SECRET = "a detail that peers must not see";
/** A handler that throws. */
export const failing = (): never => {
  throw new Error(SECRET);
};

/** What came of one request: the answer, what the server reported, and the ends of connections. */
export interface Outcome {
  response: RawResponse;
  errors: Error[];
  ends: [code: number, reason: string][];
}

/** Asks a server once; every connection that reached `connect` must have its one `disconnect`. */
export async function ask(
  variant: Variant,
  handlers: Parameters<typeof handling>[0],
  { headers = {}, ...options }: WebSocketServerOptions & { headers?: Record<string, string> } = {},
): Promise<Outcome> {
  const ends = new Journal<[number, string]>();
  await using served = await serve(variant, {
    ...handling({ ...handlers, disconnect: (_connection, ...end) => ends.add(end) }),
    ...options,
  });
  const response = await RawClient.ask(served.url, upgradeRequest(headers));
  await ends.next();
  return { response, errors: served.errors, ends: ends.entries };
}

/** An error of a handler: 500, told to `onError` once with its cause, and nothing of it to the peer. */
export function assertHandlerFailed({ response, errors, ends }: Outcome, cause = SECRET): void {
  assertEquals([response.status, response.body], [500, "Internal Server Error\n"]);
  assertEquals(errors.length, 1);
  assertInstanceOf(errors[0], WebSocketError);
  assertEquals(errors[0].code, "ERR_HANDLER");
  assertStringIncludes(String(errors[0].cause), cause);
  assertEquals(ends, [[1006, ""]]);
}

/** Over our own sockets a connection that was told to end is dropped, on an engine it is answered. */
export async function assertDropped(variant: Variant, url: string): Promise<void> {
  await assertTurnedAway({ ...variant, transport: variant.engine === "tcp" ? "tcp" : "http" }, url);
}

/** Over tcp the socket is closed without a word, over http there is an answer. */
export async function assertTurnedAway(
  { transport }: Variant,
  url: string,
  status = 403,
): Promise<void> {
  using client = await RawClient.connect(url);
  client.write(upgradeRequest());
  if (transport === "http") {
    assertEquals((await client.response()).status, status);
  } else {
    await client.end();
    assertEquals(client.received.length, 0);
  }
}
