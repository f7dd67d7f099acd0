import { assertEquals, assertInstanceOf, assertMatch, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import { WebSocketError, WebSocketServer, type WebSocketServerOptions } from "../../../mod.ts";
import { type Handler, startApplication } from "../../support/application.ts";
import { clientFrame } from "../../support/client_frame.ts";
import { Journal } from "../../support/journal.ts";
import { RawClient, upgradeRequest } from "../../support/raw_client.ts";
import { runtime } from "../../support/transports.ts";

/** A server that is mounted, and what it is told. */
interface Mounted {
  readonly server: WebSocketServer;
  readonly errors: Error[];
  readonly ends: Journal<number>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A server for one client at most that echoes: a second one is let in when nothing of the first is left. */
function makeServer(options: WebSocketServerOptions = {}): Mounted {
  const errors: Error[] = [];
  const ends = new Journal<number>();
  const server = new WebSocketServer({
    debug: 0,
    closeTimeout: 2,
    maxConnections: 1,
    onError: (_server, error) => void errors.push(error),
    onConnect(_server, connection) {
      connection.on({
        message: (connection, data) => void connection.send(data),
        disconnect: (_connection, code) => ends.add(code),
      });
    },
    ...options,
  });
  return { server, errors, ends, [Symbol.asyncDispose]: async () => void await server.shutdown() };
}

/** Whether a WebSocket over this connection echoes. */
async function assertEchoes(client: RawClient): Promise<void> {
  client.write(clientFrame(1, "there and back"));
  assertEquals((await client.frame())?.payload.toString(), "there and back");
}

const HANDLER = runtime === "bun" ? "`fetch`" : "Deno.serve's handler";

describe(`upgrade() on ${runtime}_http`, () => {
  const works: Record<string, (server: WebSocketServer) => Handler> = {
    "what the handler was given": (server) => (request, info) => server.upgrade(request, info),
    "info within an object, as Hono's env `{ server }`": (server) => (request, info) =>
      server.upgrade(request, { server: info }),
    "info within an object beside bindings": (server) => (request, info) =>
      server.upgrade(request, { DATABASE: "x", nothing: null, info }),
    "a request of which a copy was read": (server) => async (request, info) => {
      await request.clone().text();
      return server.upgrade(request, info);
    },
    "a request some time later": (server) => async (request, info) => {
      await new Promise((resolve) => setTimeout(resolve, 0));
      return server.upgrade(request, info);
    },
  };
  for (const [what, handlerOf] of Object.entries(works)) {
    it(`takes ${what}`, async () => {
      await using mounted = makeServer();
      const { server, errors } = mounted;
      await using application = startApplication(handlerOf(server), {
        websocket: server.websocket,
      });
      using client = await RawClient.open(application.url);
      await assertEchoes(client);
      const [{ ip, port }] = server.connections;
      assertEquals([ip, port], ["127.0.0.1", client.socket.localPort]);
      assertEquals([application.errors, errors], [[], []]);
    });
  }

  const slips: Record<string, [handlerOf: (server: WebSocketServer) => Handler, says: string]> = {
    "no info": [(server) => (request) => server.upgrade(request, undefined), HANDLER],
    "a wrong info": [(server) => (request) => server.upgrade(request, { port: 1 }), HANDLER],
    "no Request, as Hono's c.req": [
      (server) => (request, info) => server.upgrade({ raw: request } as never, info),
      "no Request",
    ],
    "a clone of the request": [
      (server) => (request, info) => server.upgrade(request.clone() as Request, info),
      "no copy",
    ],
    "a new Request made of it": [
      (server) => (request, info) => server.upgrade(new Request(request), info),
      "no copy",
    ],
    "a new Request with its fields": [
      (server) => (request, info) =>
        server.upgrade(new Request(request.url, { headers: request.headers }), info),
      "no copy",
    ],
  };
  for (const [what, [handlerOf, says]] of Object.entries(slips)) {
    it(`rejects with what to do for ${what}, and nothing is left of it`, async () => {
      await using mounted = makeServer();
      const { server, errors, ends } = mounted;
      let right = false;
      const wrongly = handlerOf(server);
      await using application = startApplication(
        (request, info) => right ? server.upgrade(request, info) : wrongly(request, info),
        { websocket: server.websocket },
      );
      for (let i = 0; i < 3; i++) {
        // Bun takes the fields of a handshake off a copy.
        const { status } = await RawClient.ask(application.url, upgradeRequest());
        assertEquals(status === 101, false);
      }
      for (const error of application.errors) {
        assertInstanceOf(error, WebSocketError);
        assertEquals(error.code, "ERR_INVALID_ARGUMENT");
        assertMatch(error.message, new RegExp(`^Cannot upgrade this request: .*${says}`));
      }
      assertEquals([application.errors.length, errors], [3, []]);
      assertEquals(server.error, application.errors[2]);
      // Those that came as far as `connect` have their one end.
      assertEquals(ends.entries, says === "no copy" ? [1006, 1006, 1006] : []);
      right = true;
      using client = await RawClient.open(application.url);
      await assertEchoes(client);
    });
  }

  it("rejects a second call for the same request, and the first goes on", async () => {
    await using mounted = makeServer({ maxConnections: 2 });
    const { server } = mounted;
    await using application = startApplication(async (request, info) => {
      const response = await server.upgrade(request, info);
      const again = await server.upgrade(request, info).catch((error) => error);
      assertInstanceOf(again, WebSocketError);
      assertEquals(again.code, "ERR_INVALID_ARGUMENT");
      return response;
    }, { websocket: server.websocket });
    using client = await RawClient.open(application.url);
    await assertEchoes(client);
    assertEquals(application.errors, []);
  });

  it("gives each request a response of its own: 101", async () => {
    await using mounted = makeServer({ maxConnections: 2 });
    const { server } = mounted;
    const responses: Response[] = [];
    await using application = startApplication(async (request, info) => {
      const response = await server.upgrade(request, info);
      responses.push(response);
      assertEquals([response.status, response.headers.get("x-one")], [101, null]);
      response.headers.append("X-One", "1");
      return response;
    }, { websocket: server.websocket });
    for (let i = 0; i < 2; i++) {
      const { status, headers } = await RawClient.ask(application.url, upgradeRequest());
      // Bun has answered by then.
      assertEquals([status, headers.get("x-one")], [101, runtime === "deno" ? "1" : null]);
    }
    assertEquals([application.errors, new Set(responses).size], [[], 2]);
  });

  it("a response that middleware makes of it anew opens the WebSocket as well", async () => {
    await using mounted = makeServer();
    const { server } = mounted;
    await using application = startApplication(async (request, info) => {
      const response = await server.upgrade(request, info);
      const headers = new Headers(response.headers);
      headers.set("Access-Control-Allow-Origin", "*");
      return new Response(response.body, { status: response.status, headers });
    }, { websocket: server.websocket });
    using client = await RawClient.open(application.url);
    await assertEchoes(client);
    assertEquals(application.errors, []);
  });

  it("header fields of the handshake event are on the 101", async () => {
    await using mounted = makeServer({
      onConnect(_server, connection) {
        connection.on({
          handshake: (_connection, { response }) => response.headers.set("Set-Cookie", "sid=1"),
        });
      },
    });
    const { server } = mounted;
    const { websocket } = server;
    await using application = startApplication(server.upgrade.bind(server), { websocket });
    const { headers } = await RawClient.ask(application.url, upgradeRequest());
    assertEquals(headers.get("set-cookie"), "sid=1");
  });

  it("a refusal with a status that has no body is answered (RFC 9110 §15.4.5)", async () => {
    await using mounted = makeServer({
      onConnect(_server, connection) {
        connection.on({
          handshake: (_connection, handshake) => handshake.reject(304),
        });
      },
    });
    const { server } = mounted;
    const { websocket } = server;
    await using application = startApplication(server.upgrade.bind(server), { websocket });
    assertEquals((await RawClient.ask(application.url, upgradeRequest())).status, 304);
    assertEquals(application.errors, []);
  });
});

describe("websocketWith()", () => {
  it("is refused over tcp with the transport that can: ERR_UNSUPPORTED", () => {
    const server = new WebSocketServer({ transport: "tcp" });
    const error = assertThrows(
      () => server.websocketWith({ message() {} }),
      WebSocketError,
      'transport: "http"',
    );
    assertEquals(error.code, "ERR_UNSUPPORTED");
  });

  const { server } = makeServer();
  if (runtime === "bun") {
    it("refuses what is no set of handlers: ERR_INVALID_ARGUMENT", () => {
      for (const wrong of [undefined, null, {}, { message: "x" }]) {
        const error = assertThrows(() => server.websocketWith(wrong as never), WebSocketError);
        assertEquals(error.code, "ERR_INVALID_ARGUMENT");
        assertEquals(server.error, error);
      }
    });
  } else {
    it("is undefined under Deno, as `websocket` is, so that one program runs under both", () => {
      assertEquals(server.websocket, undefined as never);
      assertEquals(server.websocketWith(server.websocket), undefined as never);
    });
  }
});
