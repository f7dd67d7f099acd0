import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import {
  type PreparedUpgrade,
  WebSocketConnection,
  WebSocketError,
  WebSocketServer,
  type WebSocketServerOptions,
} from "../../mod.ts";
import { startApplication } from "../support/application.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { runtime } from "../support/transports.ts";

interface User {
  readonly id: string;
}

type Sockets = WebSocketServer<WebSocketConnection<User>>;
/** What an application says of a request that is to open a WebSocket. */
type Prepare = (url: URL) => PreparedUpgrade<User> | undefined;

/** An application that hands requests to a server, with what it says of them. */
interface Mounting extends AsyncDisposable {
  readonly url: string;
  /** What handing them over threw, or rejected with. */
  readonly mistakes: unknown[];
}

/** Mounts a server in an application, in one of the ways that there are. */
type Mount = (sockets: Sockets, prepare: Prepare) => Promise<Mounting>;

const viaHandleUpgrade: Mount = async (sockets, prepare) => {
  const mistakes: unknown[] = [];
  const application = createServer();
  application.on("upgrade", (request, socket, head) => {
    try {
      const prepared = prepare(new URL(request.url!, "http://a"));
      sockets.handleUpgrade(request, socket, head, prepared);
    } catch (error) {
      mistakes.push(error);
      socket.end("HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n");
    }
  });
  await once(application.listen(0, "127.0.0.1"), "listening");
  const { port } = application.address() as AddressInfo;
  return {
    url: `ws://127.0.0.1:${port}`,
    mistakes,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => application.close(resolve));
    },
  };
};

const viaUpgrade: Mount = (sockets, prepare) => {
  const application = startApplication(
    (request, info) => sockets.upgrade(request, info, prepare(new URL(request.url))),
    { websocket: sockets.websocket },
  );
  return Promise.resolve({ ...application, mistakes: application.errors });
};

/** By the name of the way: how it is mounted, and on which transport. */
const WAYS: [name: string, transport: "http" | "tcp", mount: Mount][] = [
  ["handleUpgrade()", "tcp", viaHandleUpgrade],
];
if (runtime !== "node") WAYS.unshift(["upgrade()", "http", viaUpgrade]);

for (const [name, transport, mount] of WAYS) {
  /** Mounts a server whose application prepares each upgrade, and asks it once. */
  const ask = async (
    prepared: PreparedUpgrade<User> | undefined,
    options: WebSocketServerOptions<WebSocketConnection<User>> = {},
    headers: Record<string, string> = {},
  ) => {
    const errors: Error[] = [];
    const data: unknown[] = [];
    const server = new WebSocketServer<WebSocketConnection<User>>({
      transport,
      debug: 0,
      closeTimeout: 2,
      onError: (_server, error) => void errors.push(error),
      onConnect: (_server, connection) => void data.push(connection.data),
      ...options,
    });
    await using application = await mount(server, () => prepared);
    const response = await RawClient.ask(application.url, upgradeRequest(headers));
    await server.shutdown();
    return { response, data, errors, mistakes: application.mistakes };
  };

  describe(`a prepared ${name} on ${runtime}_${transport}`, () => {
    it("data is the connection's, from onConnect on", async () => {
      const ada: User = { id: "ada" };
      const { response, data, errors } = await ask({ data: ada });
      assertEquals([response.status, errors], [101, []]);
      assert(data[0] === ada);
    });

    it("without data the connection keeps what its class has", async () => {
      class Guest extends WebSocketConnection<User> {
        override data: User = { id: "guest" };
      }
      for (const prepared of [{}, { data: undefined }, undefined]) {
        const { data } = await ask(prepared, { connectionClass: Guest });
        assertEquals(data, [{ id: "guest" }]);
      }
    });

    it("each request has data of its own, and a handshake handler may replace it", async () => {
      const greetings = new Journal<string>();
      await using server = new WebSocketServer({
        transport,
        debug: 0,
        closeTimeout: 2,
        connectionClass: WebSocketConnection<User>,
        onConnect: (_server, connection) =>
          void connection.on({
            handshake(connection, { request }) {
              const name = request.cookies.get("name");
              if (name !== undefined) connection.data = { id: name };
            },
            ready: ({ data }) => greetings.add(data.id),
          }),
      });
      await using application = await mount(server, ({ pathname }) => ({ data: { id: pathname } }));
      using _one = await RawClient.open(`${application.url}/one`);
      using _two = await RawClient.open(`${application.url}/two`);
      using _three = await RawClient.open(`${application.url}/two`, { Cookie: "name=three" });
      assertEquals((await greetings.first(3)).sort(), ["/one", "/two", "three"]);
    });

    const cookies: [string, string][] = [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], [
      "X-A",
      "1",
    ]];
    for (
      const [form, headers] of Object.entries({
        pairs: cookies,
        Headers: new Headers(cookies),
      })
    ) {
      it(`headers as ${form} are on the 101, beside those of the handshake handler`, async () => {
        const { response, errors } = await ask({ headers }, {
          onConnect: (_server, connection) =>
            void connection.on({
              handshake: (_, { response }) => response.headers.set("X-B", "2"),
            }),
        });
        assertEquals([response.status, errors], [101, []]);
        assertEquals(response.headers.getSetCookie(), ["a=1", "b=2"]);
        assertEquals([response.headers.get("x-a"), response.headers.get("x-b")], ["1", "2"]);
      });
    }

    it("headers are left out of a refusal", async () => {
      const { response } = await ask({ headers: { "X-A": "1" } }, {
        onConnect: (_server, connection) =>
          void connection.on({ handshake: (_, handshake) => handshake.reject(401) }),
      });
      assertEquals([response.status, response.headers.get("x-a")], [401, null]);
    });

    it("subprotocol takes the place of the server's own choice", async () => {
      const offer = { "Sec-WebSocket-Protocol": "a, b, c" };
      const options: WebSocketServerOptions<WebSocketConnection<User>>[] = [
        { subprotocol: ["a"] },
        { selectSubprotocol: () => "c" },
      ];
      for (const it of options) {
        const { response } = await ask({ subprotocol: "b" }, it, offer);
        assertEquals(response.headers.get("sec-websocket-protocol"), "b");
      }
      const { response } = await ask({ subprotocol: undefined }, { subprotocol: ["a"] }, offer);
      assertEquals(response.headers.get("sec-websocket-protocol"), "a");
    });

    it("a subprotocol that the client does not offer is answered 500 (RFC 6455 §4.2.2)", async () => {
      const { response, errors, mistakes } = await ask({ subprotocol: "b" });
      assertEquals([response.status, mistakes], [500, []]);
      assertMatch(errors[0].message, /"b": the client did not offer it/);
    });

    const mistakes: [what: string, prepared: unknown, says: RegExp][] = [
      ["a text", "ada", /with "ada": give an object/],
      ["an unknown key", { user: "ada" }, /with "user": use data, headers, subprotocol/],
      ["a subprotocol that is a list", { subprotocol: ["a"] }, /with the subprotocol \["a"\]/],
      ["a field of the protocol's", { headers: { Upgrade: "x" } }, /these headers: .*"upgrade"/],
      ["a length", { headers: { "Content-Length": "0" } }, /these headers: .*"content-length"/],
      ["a function, as other libraries take here", () => {}, /with .*: give an object/],
      ["a control character", { headers: { "X-A": "ding\x07" } }, /these headers: .*"x-a"/],
      ["no name", { headers: { "": "x" } }, /these headers: /],
      ["headers that are a number", { headers: 5 }, /these headers: /],
    ];
    for (const [what, prepared, says] of mistakes) {
      it(`rejects for ${what}, before any handler`, async () => {
        const { response, data, errors, mistakes } = await ask(prepared as PreparedUpgrade<User>);
        assertEquals([response.status, data, errors, mistakes.length], [500, [], [], 1]);
        assertInstanceOf(mistakes[0], WebSocketError);
        assertEquals(mistakes[0].code, "ERR_INVALID_ARGUMENT");
        assertMatch(mistakes[0].message, says);
      });
    }
  });
}
