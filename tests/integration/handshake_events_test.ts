import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import type { Handshake, WebSocketConnection, WebSocketServerOptions } from "../../mod.ts";
import {
  ask,
  assertDropped,
  assertHandlerFailed,
  assertTurnedAway,
  failing,
  SECRET,
} from "../support/handshake_outcome.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { echo, serve, transports, type Variant, variants } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

/** Has a look at the handshake of a right request. */
async function look<T>(
  variant: Variant,
  headers: Record<string, string>,
  see: (handshake: Handshake, connection: WebSocketConnection) => T,
  options: WebSocketServerOptions = {},
): Promise<T> {
  let seen: T | undefined;
  const { response, errors } = await ask(variant, {
    handshake: (connection, handshake) => void (seen = see(handshake, connection)),
  }, { headers, ...options });
  assertEquals([response.status, errors], [101, []]);
  return seen!;
}

for (const variant of transports) {
  describe(`the connect event over ${variant.name}`, () => {
    for (const refusal of [false, 0, "", Promise.resolve(false)]) {
      const name = typeof refusal === "object" ? "a promise of false" : JSON.stringify(refusal);
      const answer = variant.transport === "tcp" ? "closes the socket at once" : "is answered 403";
      it(`${name} ${answer}`, async () => {
        const ends = new Journal<number>();
        await using served = await serve(variant, {
          onConnect(_server, connection) {
            connection.onDisconnect = (_connection, code) => ends.add(code);
            return refusal;
          },
        });
        await assertTurnedAway(variant, served.url);
        assertEquals(await ends.next(), 1006);
        assertEquals([ends.entries.length, served.errors.length], [1, 0]);
      });
    }

    for (const [name, fail] of [["throws", failing], ["rejects", async () => await failing()]]) {
      it(`a handler that ${name as string} turns the peer away and is reported`, async () => {
        await using served = await serve(variant, { onConnect: fail as () => unknown });
        await assertTurnedAway(variant, served.url, 500);
        assertEquals(served.errors.map((it) => (it.cause as Error).message), [SECRET]);
      });
    }

    it("conn.disconnect() turns the peer away", async () => {
      const ends = new Journal<number>();
      await using served = await serve(variant, {
        onConnect(_server, connection) {
          connection.onDisconnect = (_connection, code) => ends.add(code);
          connection.disconnect();
        },
      });
      await assertDropped(variant, served.url);
      assertEquals(await ends.next(), 1006);
    });
  });

  describe(`the origin event over ${variant.name} (RFC 6455 §10.2)`, () => {
    const origin = { Origin: "http://evil.example" };

    for (const refusal of [() => false, () => Promise.resolve(false)]) {
      it(`false from ${refusal} is answered 403`, async () => {
        const outcome = await ask(variant, { origin: refusal }, { headers: origin });
        assertEquals(outcome.response.status, 403);
        assertEquals([outcome.errors, outcome.ends], [[], [[1006, ""]]]);
      });
    }

    it("a handler that throws is answered 500", async () => {
      assertHandlerFailed(await ask(variant, { origin: failing }, { headers: origin }));
    });

    it("a handler that rejects is answered 500", async () => {
      assertHandlerFailed(await ask(variant, { origin: async () => await failing() }));
    });

    it("a promise that has not settled after 2 s is answered 408", async () => {
      const began = performance.now();
      const outcome = await ask(variant, { origin: () => new Promise(() => {}) });
      assertEquals([outcome.response.status, outcome.errors], [408, []]);
      const seconds = (performance.now() - began) / 1000;
      assert(seconds > 1.9, `${seconds} s`);
    });

    for (
      const [field, seen] of [
        ["", null],
        ["http://app.example:8080", "http://app.example:8080/"],
        ["null", "null:"],
        ["not a URL", "null:"],
      ] as const
    ) {
      it(`Origin ${JSON.stringify(field)} is told as ${seen}`, async () => {
        const origins: (string | undefined)[] = [];
        const { response } = await ask(variant, {
          origin: (_connection, origin) => void origins.push(origin?.href),
        }, { headers: { Origin: field } });
        assertEquals(response.status, 101);
        assertEquals(origins, [seen ?? undefined]);
      });
    }
  });

  describe(`versions over ${variant.name} (RFC 6455 §4.4)`, () => {
    for (const version of [8, 7]) {
      it(`version ${version} is served when turned on, with Sec-WebSocket-Origin`, async () => {
        const headers = {
          "Sec-WebSocket-Version": String(version),
          "Sec-WebSocket-Origin": "http://old.example",
        };
        const [number, origin] = await look(
          variant,
          headers,
          ({ request }, connection) => [connection.version, request.origin],
          { versions: [13, version] },
        );
        assertEquals([number, origin], [version, "http://old.example"]);
      });
    }

    it("another version is answered 426 with those that are served", async () => {
      const { response } = await ask(variant, {}, {
        versions: [13, 8],
        headers: { "Sec-WebSocket-Version": "7" },
      });
      assertEquals(response.status, 426);
      assertEquals(response.headers.get("sec-websocket-version"), "13, 8");
    });
  });

  describe(`subprotocols over ${variant.name} (RFC 6455 §4.2.2)`, () => {
    const offered = { "Sec-WebSocket-Protocol": "one, two, three" };
    const agreed = async (options: WebSocketServerOptions) => {
      const connections = new Journal<string | undefined>();
      const { response, errors } = await ask(variant, {
        ready: (connection) => connections.add(connection.subprotocol),
      }, { headers: offered, ...options });
      assertEquals([response.status, errors], [101, []]);
      const header = response.headers.get("sec-websocket-protocol") ?? undefined;
      assertEquals(await connections.next(), header);
      return header;
    };

    it("the first of ours that was offered is chosen", async () => {
      assertEquals(await agreed({ subprotocol: ["none", "three", "one"] }), "three");
    });

    it("with none in common the handshake goes on without one", async () => {
      assertEquals(await agreed({ subprotocol: ["none"] }), undefined);
    });

    it("selectSubprotocol decides otherwise", async () => {
      const calls: string[] = [];
      const options: WebSocketServerOptions = {
        subprotocol: ["one"],
        selectSubprotocol(offered, { request }) {
          calls.push(`${offered} to ${request.uri.pathname}`);
          return "two";
        },
      };
      assertEquals(await agreed(options), "two");
      assertEquals(calls, ["one,two,three to /"]);
      assertEquals(await agreed({ selectSubprotocol: () => undefined }), undefined);
    });

    it("selectSubprotocol cannot choose one that was not offered: 500", async () => {
      const options = { headers: offered, selectSubprotocol: () => "four" };
      assertHandlerFailed(await ask(variant, {}, options), '"four"');
    });

    it("ws gets the subprotocol chosen", async () => {
      await using served = await serve(variant, { ...echo, subprotocol: ["two"] });
      const { socket, end } = await openWs(served.url, { protocols: ["one", "two"] });
      assertEquals(socket.protocol, "two");
      socket.close();
      await end();
    });
  });
}

for (const variant of variants) {
  describe(`the handshake event over ${variant.name}`, () => {
    it("shows the request", async () => {
      await using served = await serve(variant, {
        onConnect(_server, connection) {
          connection.onHandshake = (_connection, { request }) => {
            const { uri, method, host, isSecure, version, headers } = request;
            seen.add([uri.href, method, host, isSecure, Number(version), headers.get("x-trace")]);
            offers.add([request.subprotocols, request.extensions]);
            cookies.add(Object.fromEntries(request.cookies));
          };
        },
      });
      const seen = new Journal<unknown[]>();
      const offers = new Journal<unknown[]>();
      const cookies = new Journal<unknown>();
      const { host } = new URL(served.url);
      const headers = {
        "Host": host,
        "X-Trace": "abc",
        "Cookie": 'id=7; quoted="a b"; pad=a=b==; id=8; ; lone; list=a,id=9, b=c;d=e',
        "Sec-WebSocket-Protocol": "one, two",
        "Sec-WebSocket-Extensions": 'x-a; b; c="d", x-e',
      };
      using client = await RawClient.connect(served.url);
      client.write(upgradeRequest(headers, "/chat/room%201?user=J%C3%BCrgen&x=a+b"));
      assertEquals((await client.response(true)).status, 101);
      const uri = `${served.url}/chat/room%201?user=J%C3%BCrgen&x=a+b`;
      assertEquals(await seen.next(), [uri, "GET", host, variant.secure, 13, "abc"]);
      assertEquals(await offers.next(), [
        ["one", "two"],
        [
          { name: "x-a", parameters: [["b", undefined], ["c", "d"]] },
          { name: "x-e", parameters: [] },
        ],
      ]);
      assertEquals(await cookies.next(), {
        id: "7",
        quoted: "a b",
        pad: "a=b==",
        list: "a,id=9, b=c",
        d: "e",
      });
    });

    it("adds fields to the response, several Set-Cookie among them", async () => {
      const { response } = await ask(variant, {
        handshake(_connection, { response }) {
          response.headers.append("Set-Cookie", "a=1; HttpOnly");
          response.headers.append("Set-Cookie", "b=2; Expires=Thu, 01 Jan 2037 00:00:00 GMT");
          response.headers.set("X-Served-By", "duet");
        },
      });
      assertEquals(response.status, 101);
      assertEquals(response.headers.get("x-served-by"), "duet");
      assertEquals(response.headers.getSetCookie(), [
        "a=1; HttpOnly",
        "b=2; Expires=Thu, 01 Jan 2037 00:00:00 GMT",
      ]);
    });
  });
}
