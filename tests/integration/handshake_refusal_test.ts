import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import type { Handshake, WebSocketConnection, WebSocketError } from "../../mod.ts";
import { ask, assertDropped, assertHandlerFailed, failing } from "../support/handshake_outcome.ts";
import { Journal } from "../support/journal.ts";
import { RawClient } from "../support/raw_client.ts";
import { handling, serve, transports } from "../support/transports.ts";

for (const variant of transports) {
  describe(`refusing in the handshake event over ${variant.name}`, () => {
    for (const field of ["Sec-WebSocket-Accept", "Sec-WebSocket-Extensions", "Connection"]) {
      it(`${field} is the protocol's own and cannot be added: 500`, async () => {
        const outcome = await ask(variant, {
          handshake: (_connection, { response }) => response.headers.set(field, "mine"),
        });
        assertHandlerFailed(outcome, field.toLowerCase());
      });
    }

    it("a field value with a control character cannot be sent: 500, also when it came late", async () => {
      for (const wait of [false, true]) {
        const outcome = await ask(variant, {
          async handshake(_connection, { response }) {
            if (wait) await Promise.resolve();
            response.headers.set("X-Bell", "ding\x07");
          },
        });
        assertEquals(outcome.response.status, 500);
        assertEquals([outcome.errors.length, outcome.ends], [1, [[1006, ""]]]);
      }
    });

    const refusal = {
      body: "Log in first\n",
      headers: [["WWW-Authenticate", "Basic"], ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]],
    } as { body: string; headers: [string, string][] };
    const ways: Record<string, (connection: WebSocketConnection, handshake: Handshake) => void> = {
      "handshake.reject": (_connection, handshake) => handshake.reject(401, refusal),
      "conn.httpError": (connection) => connection.httpError(401, refusal),
    };
    it("conn.httpError can refuse in the origin event too", async () => {
      const { response, errors } = await ask(variant, {
        origin: (connection) => connection.httpError(401, refusal),
      });
      assertEquals([response.status, response.body, errors], [401, "Log in first\n", []]);
    });

    for (const [way, refuse] of Object.entries(ways)) {
      for (const late of [false, true]) {
        it(`${way} gives status, fields and body${late ? " after a while" : ""}`, async () => {
          const { response, errors, ends } = await ask(variant, {
            async handshake(connection, handshake) {
              if (late) await new Promise((resolve) => setImmediate(resolve));
              refuse(connection, handshake);
            },
          });
          assertEquals([response.status, response.body], [401, "Log in first\n"]);
          assertEquals(response.headers.get("www-authenticate"), "Basic");
          assertEquals(response.headers.getSetCookie(), ["a=1", "b=2"]);
          assertEquals([errors, ends], [[], [[1006, ""]]]);
        });
      }
    }

    for (const status of [302, 304, 404, 599]) {
      it(`status ${status} can be given, with a body of none`, async () => {
        const { response, errors } = await ask(variant, {
          handshake: (_connection, handshake) => handshake.reject(status),
        });
        assertEquals([response.status, response.body, errors], [status, "", []]);
      });
    }

    it("a body of bytes goes out as it is", async () => {
      const { response } = await ask(variant, {
        handshake: (_connection, handshake) =>
          handshake.reject(400, { body: new TextEncoder().encode("größer") }),
      });
      assertEquals([response.status, response.body], [400, "größer"]);
    });

    for (const status of [101, 200, 299, 600, NaN]) {
      it(`status ${status} throws`, async () => {
        assertHandlerFailed(
          await ask(variant, { handshake: (_connection, it) => it.reject(status) }),
          `status ${status}`,
        );
      });
    }

    const mistakes: [what: string, status: number, rejection: unknown, cause: string][] = [
      ["an unknown key", 400, { reason: "x" }, '"reason": use body and headers'],
      ["a body that is a number", 400, { body: 5 }, "a body of type number"],
      ["a body that is null", 400, { body: null }, "a body of type object"],
      ["a text in its place", 400, "no", "give an object"],
      ["a body of a 304", 304, { body: "x" }, "status 304 and a body"],
      ["a length", 400, { headers: { "Content-Length": "9" } }, '"content-length"'],
    ];
    for (const [what, status, rejection, cause] of mistakes) {
      it(`${what} throws, in handshake.reject and in conn.httpError`, async () => {
        const given = rejection as { body?: string };
        const handlers: Parameters<typeof ask>[1][] = [
          { handshake: (_connection, it) => it.reject(status, given) },
          { handshake: (connection) => connection.httpError(status, given) },
        ];
        for (const it of handlers) assertHandlerFailed(await ask(variant, it), cause);
      });
    }

    it("CR and LF in a field throw, and split no response (RFC 9112 §11.1)", async () => {
      const outcome = await ask(variant, {
        handshake: (_connection, handshake) =>
          handshake.reject(400, { headers: { "X-Name": "a\r\nX-Evil: yes" } }),
      });
      assertEquals([outcome.response.status, outcome.response.headers.get("x-evil")], [500, null]);
      assertEquals(outcome.errors.length, 1);
    });

    it("conn.httpError throws before the request has come and after the answer", async () => {
      const codes = new Journal<string>();
      const attempt = (connection: WebSocketConnection) => {
        try {
          connection.httpError(400);
          codes.add("none");
        } catch (error) {
          codes.add((error as WebSocketError).code);
        }
      };
      await using served = await serve(variant, {
        onConnect(_server, connection) {
          attempt(connection);
          connection.onReady = attempt;
        },
      });
      using _client = await RawClient.open(served.url);
      assertEquals(await codes.first(2), ["ERR_STATE", "ERR_STATE"]);
    });

    for (const [name, fail] of [["throws", failing], ["rejects", async () => await failing()]]) {
      it(`a handler that ${name as string} is answered 500`, async () => {
        assertHandlerFailed(await ask(variant, { handshake: fail as () => unknown }));
      });
    }

    it("conn.disconnect() turns the peer away", async () => {
      const ends = new Journal<[number, boolean]>();
      await using served = await serve(
        variant,
        handling({
          handshake: (connection) => connection.disconnect(),
          disconnect: (connection, code) => ends.add([code, connection.disconnected]),
        }),
      );
      await assertDropped(variant, served.url);
      assertEquals(await ends.next(), [1006, true]);
      assertEquals(ends.entries.length, 1);
    });
  });
}
