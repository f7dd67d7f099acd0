import { assertEquals } from "@std/assert";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { ask, assertHandlerFailed } from "../support/handshake_outcome.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { handling, serve, transports } from "../support/transports.ts";

const refusal = () =>
  new Response("Log in first\n", {
    status: 401,
    headers: [
      ["Content-Type", "text/plain; charset=utf-8"],
      ["WWW-Authenticate", "Basic"],
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
    ],
  });
const throwing = (response: Response): never => {
  throw response;
};

/** The ways in which a handler gives a response. */
const WAYS: Record<string, (response: Response) => unknown> = {
  returns: (response) => response,
  "returns a promise of": (response) => Promise.resolve(response),
  throws: throwing,
  "rejects with": async (response) => await throwing(response),
};

/** A body in several pieces, that tells when it is given up. */
function pieces(count: number, cancelled = () => {}): ReadableStream<Uint8Array> {
  let left = count;
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setImmediate(resolve));
      if (left-- > 0) controller.enqueue(new TextEncoder().encode("piece "));
      else controller.close();
    },
    cancel: cancelled,
  });
}

for (const variant of transports) {
  describe(`refusing with a Response over ${variant.name}`, () => {
    for (const [way, give] of Object.entries(WAYS)) {
      it(`a handshake handler that ${way} one gives status, fields and body`, async () => {
        const { response, errors, ends } = await ask(variant, {
          handshake: () => give(refusal()),
        });
        assertEquals([response.status, response.body], [401, "Log in first\n"]);
        assertEquals(response.headers.get("www-authenticate"), "Basic");
        assertEquals(response.headers.get("content-type"), "text/plain; charset=utf-8");
        assertEquals(response.headers.getSetCookie(), ["a=1", "b=2"]);
        assertEquals([errors, ends], [[], [[1006, ""]]]);
      });

      for (
        const [what, make, cause] of [
          ["of status 200", () => new Response("hello"), "status 200: use 300 to 599"],
          ["of an error", () => Response.error(), "status 0: use 300 to 599"],
          ["with a control character", () => {
            return new Response(null, { status: 400, headers: { "X-Bell": "ding\x07" } });
          }, "x-bell"],
        ] as const
      ) {
        it(`a handler that ${way} one ${what} has failed: 500`, async () => {
          assertHandlerFailed(await ask(variant, { handshake: () => give(make()) }), cause);
        });
      }
    }

    it("one that was used has failed: 500", async () => {
      const outcome = await ask(variant, {
        async handshake() {
          const response = refusal();
          await response.text();
          return response;
        },
      });
      assertHandlerFailed(outcome, "was used");
    });

    if (variant.transport === "tcp") {
      it("one whose body somebody else reads has failed: 500", async () => {
        const outcome = await ask(variant, {
          handshake() {
            const response = refusal();
            response.body!.getReader();
            return response;
          },
        });
        assertEquals([outcome.response.status, outcome.errors.length], [500, 1]);
      });
    }

    it("it goes before handshake.reject", async () => {
      const { response } = await ask(variant, {
        handshake(_connection, handshake) {
          handshake.reject(404);
          return refusal();
        },
      });
      assertEquals(response.status, 401);
    });

    for (const status of [302, 304, 503]) {
      it(`status ${status} can be given without a body`, async () => {
        const { response, errors } = await ask(variant, {
          handshake: () => new Response(null, { status, headers: { Location: "/login" } }),
        });
        assertEquals([response.status, response.body, errors], [status, "", []]);
        assertEquals(response.headers.get("location"), "/login");
      });
    }

    it("a body is streamed", async () => {
      await using served = await serve(
        variant,
        handling({ handshake: () => new Response(pieces(3), { status: 403 }) }),
      );
      const headers = {
        Upgrade: "websocket",
        Connection: "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      };
      const request = get(served.url.replace("ws", "http"), { headers });
      const [response] = await once(request, "response") as [IncomingMessage];
      assertEquals(response.statusCode, 403);
      assertEquals(await text(response), "piece piece piece ");
      assertEquals(served.errors, []);
    });

    it("a body without end is given up when its peer leaves", async () => {
      const ends = new Journal<string>();
      await using served = await serve(
        variant,
        handling({
          handshake: () => new Response(pieces(Infinity, () => ends.add("body")), { status: 403 }),
        }),
      );
      const client = await RawClient.connect(served.url);
      client.write(upgradeRequest());
      assertEquals((await client.response(true)).status, 403);
      client[Symbol.dispose]();
      assertEquals(await ends.next(), "body");
      assertEquals(served.errors, []);
    });

    it("what a handler returns otherwise refuses nothing", async () => {
      for (const given of [false, null, 403, { status: 403 }]) {
        const { response } = await ask(variant, { handshake: () => given });
        assertEquals(response.status, 101);
      }
    });
  });
}
