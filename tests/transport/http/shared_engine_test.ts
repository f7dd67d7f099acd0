import { assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import {
  type BunWebSocketOptions,
  type WebSocketConnection,
  WebSocketError,
  WebSocketServer,
  type WebSocketServerOptions,
} from "../../../mod.ts";
import { type Handler, startApplication } from "../../support/application.ts";
import { clientFrame, closeBytes } from "../../support/client_frame.ts";
import { Journal } from "../../support/journal.ts";
import { RawClient, upgradeRequest } from "../../support/raw_client.ts";
import { runtime } from "../../support/transports.ts";

const DEFLATE = "permessage-deflate";

/** A server that echoes, and what it is told. */
function makeServer(options: WebSocketServerOptions = {}) {
  const errors: Error[] = [];
  const opened = new Journal<WebSocketConnection>();
  const ends = new Journal<number>();
  const server = new WebSocketServer({
    debug: 0,
    closeTimeout: 2,
    onError: (_server, error) => void errors.push(error),
    onConnect(_server, connection) {
      connection.on({
        ready: opened.add,
        utf8: (connection, data) => void connection.sendUtf8(data),
        binary: (connection, data) => void connection.sendBinary(data),
        disconnect: (_connection, code) => ends.add(code),
      });
    },
    ...options,
  });
  return {
    server,
    errors,
    opened,
    ends,
    [Symbol.asyncDispose]: async () => void await server.shutdown(),
  };
}

/** A handler that gives each server the requests for a path of its own. */
function routing(servers: Record<string, WebSocketServer>): Handler {
  return (request, info) => servers[new URL(request.url).pathname].upgrade(request, info);
}

/** What comes back for a message of so many bytes: as many bytes, or a close code. */
async function echoOf(client: RawClient, size: number): Promise<string> {
  client.write(clientFrame(2, new Uint8Array(size)));
  const frame = await client.frame();
  if (frame === null) return "lost";
  return frame.opcode === 8 ? `closed ${frame.payload.readUInt16BE(0)}` : `${frame.payload.length}`;
}

describe(`two servers on one HTTP server (${runtime}_http)`, () => {
  it("have a maxRecvSize each", async () => {
    await using small = makeServer({ maxRecvSize: 1000 });
    await using large = makeServer({ maxRecvSize: 100_000 });
    const handler = routing({ "/small": small.server, "/large": large.server });
    for (
      const websocket of [
        large.server.websocket,
        small.server.websocketWith(large.server.websocket),
        large.server.websocketWith(small.server.websocket),
      ]
    ) {
      await using application = startApplication(handler, { websocket });
      const open = (path: string) => RawClient.open(application.url + path);
      using one = await open("/small");
      using other = await open("/large");
      assertEquals(await echoOf(one, 1000), "1000");
      assertEquals(await echoOf(one, 1001), "closed 1009");
      one.write(clientFrame(8, closeBytes(1009)));
      assertEquals(await echoOf(other, 100_000), "100000");
      assertEquals(await echoOf(other, 100_001), "closed 1009");
      other.write(clientFrame(8, closeBytes(1009)));
      await Promise.all([small.ends.next(), large.ends.next()]);
      assertEquals(application.errors, []);
    }
    const codes = [...small.errors, ...large.errors].map((it) => (it as WebSocketError).code);
    assertEquals(codes, Array(6).fill("ERR_PROTOCOL"));
  });

  it("have connections each, and one's shutdown leaves the other's alone", async () => {
    await using one = makeServer();
    await using other = makeServer();
    const handler = routing({ "/one": one.server, "/other": other.server });
    await using application = startApplication(handler, { websocket: other.server.websocket });
    using first = await RawClient.open(`${application.url}/one`);
    using second = await RawClient.open(`${application.url}/other`);
    assertEquals([one.server.connections.size, other.server.connections.size], [1, 1]);
    const down = one.server.shutdown();
    assertEquals(await first.closeCode(), 1001);
    first.write(clientFrame(8, closeBytes(1001)));
    await down;
    assertEquals(await echoOf(second, 5), "5");
  });
});

/** The application's own WebSockets: Bun's handlers, and what they were told. */
function ownWebSockets() {
  const told = new Journal<string>();
  const tell = (event: string) => (socket: { data: unknown }, ...what: unknown[]) =>
    told.add([event, JSON.stringify(socket.data) ?? "none", ...what].join(" "));
  const handlers = {
    open: tell("open"),
    message(socket: { data: unknown; sendText(data: string): void }, data: string | Uint8Array) {
      tell("message")(socket, data);
      socket.sendText(`own ${data}`);
    },
    ping: tell("ping"),
    pong: tell("pong"),
    close: tell("close"),
  };
  return { told, handlers: handlers as unknown as BunWebSocketOptions };
}

/** Bun's `Server`, of which an application opens WebSockets of its own. */
interface BunServer {
  upgrade(request: Request, options?: { data: unknown }): boolean;
}

if (runtime === "bun") {
  describe("a server on a Bun.serve with other WebSockets", () => {
    it("takes no part in one that is told smaller limits: rejects, 1011, nothing is left", async () => {
      await using small = makeServer({ maxRecvSize: 1000 });
      await using large = makeServer({ maxRecvSize: 1001, maxConnections: 1 });
      const handler = routing({ "/small": small.server, "/large": large.server });
      const { websocket } = small.server;
      await using application = startApplication(handler, { websocket });
      for (let i = 0; i < 3; i++) {
        using client = await RawClient.open(`${application.url}/large`);
        assertEquals(await client.closeCode(), 1011);
        assertEquals(await large.ends.next(), 1006);
        const error = application.errors[i];
        assertInstanceOf(error, WebSocketError);
        assertEquals(error.code, "ERR_INVALID_ARGUMENT");
        assertStringIncludes(error.message, "websocketWith");
      }
      assertEquals([large.opened.entries, large.errors], [[], []]);
      using client = await RawClient.open(`${application.url}/small`);
      assertEquals(await echoOf(client, 1000), "1000");
    });

    const offers: Record<string, (string | undefined)[]> = {
      "no server": [undefined, undefined],
      "the first server": [DEFLATE, undefined],
      "the second server": [undefined, DEFLATE],
      "both servers": [DEFLATE, DEFLATE],
    };
    for (const [who, [first, second]] of Object.entries(offers)) {
      it(`reports the extensions that were agreed on, with ${DEFLATE} on ${who}`, async () => {
        await using one = makeServer({ extensions: first });
        await using other = makeServer({ extensions: second });
        const handler = routing({ "/one": one.server, "/other": other.server });
        for (
          const websocket of [
            one.server.websocket,
            other.server.websocket,
            one.server.websocketWith(other.server.websocket),
            other.server.websocketWith(one.server.websocket),
            one.server.websocketWith(ownWebSockets().handlers),
          ]
        ) {
          await using application = startApplication(handler, { websocket });
          for (const [path, { opened }] of Object.entries({ "/one": one, "/other": other })) {
            using client = await RawClient.connect(application.url);
            client.write(upgradeRequest({ "Sec-WebSocket-Extensions": DEFLATE }, path));
            const { status, headers } = await client.response(true);
            assertEquals(status, 101);
            const answered = headers.get("sec-websocket-extensions")?.split(";").slice(0, 1) ?? [];
            assertEquals((await opened.next()).extensions, answered);
            assertEquals(await echoOf(client, 5), "5");
          }
        }
      });
    }

    it(`has ${DEFLATE} where any of the servers that share it has`, async () => {
      await using one = makeServer();
      await using other = makeServer({ extensions: DEFLATE });
      const { websocket } = other.server;
      for (const both of [websocket, one.server.websocketWith(websocket)]) {
        await using application = startApplication(
          routing({ "/one": one.server, "/other": other.server }),
          { websocket: both },
        );
        const offering = { "Sec-WebSocket-Extensions": DEFLATE };
        using client = await RawClient.open(`${application.url}/other`, offering);
        assertEquals((await other.opened.next()).extensions, [DEFLATE]);
        client.write(clientFrame(1, "plain"));
        assertEquals((await client.frame())?.payload.toString(), "plain");
      }
    });

    const datas: Record<string, unknown> = {
      "no data": undefined,
      "null": null,
      "a text": "text",
      "an object with functions of its own, as Elysia's": {
        message() {},
        open: "open",
        channel: {},
      },
    };
    for (const [what, data] of Object.entries(datas)) {
      it(`leaves WebSockets with ${what} as data to the handlers that it is given`, async () => {
        await using ours = makeServer();
        const own = ownWebSockets();
        await using application = startApplication((request, info) => {
          if (request.url.endsWith("/ours")) return ours.server.upgrade(request, info);
          (info as BunServer).upgrade(request, data === undefined ? undefined : { data });
          return new Response(null);
        }, { websocket: ours.server.websocketWith(own.handlers) });
        using client = await RawClient.open(`${application.url}/own`);
        using beside = await RawClient.open(`${application.url}/ours`);
        client.write(clientFrame(1, "hello"));
        assertEquals((await client.frame())?.payload.toString(), "own hello");
        client.write(clientFrame(9, "are you there?"));
        assertEquals((await client.frame())?.opcode, 10);
        client.write(clientFrame(10, "I am"));
        client.write(clientFrame(8, closeBytes(1000, "bye")));
        await client.end();
        const shown = JSON.stringify(data) ?? "none";
        assertEquals(await own.told.first(5), [
          `open ${shown}`,
          `message ${shown} hello`,
          `ping ${shown} are you there?`,
          `pong ${shown} I am`,
          `close ${shown} 1000 bye`,
        ]);
        assertEquals(await echoOf(beside, 5), "5");
        assertEquals([own.told.entries.length, ours.errors, application.errors], [5, [], []]);
      });
    }

    it("closes one that is nobody's (1011), and says what to do", async () => {
      await using ours = makeServer();
      await using application = startApplication((request, info) => {
        (info as BunServer).upgrade(request);
        return new Response(null);
      }, { websocket: ours.server.websocket });
      using client = await RawClient.open(application.url);
      client.write(clientFrame(1, "is anybody there?"));
      assertEquals(await client.closeCode(), 1011);
      await client.end();
      assertEquals(ours.errors.map((it) => (it as WebSocketError).code), ["ERR_INVALID_ARGUMENT"]);
      assertStringIncludes(ours.errors[0].message, "websocketWith()");
    });

    it("is served by handlers that pass events on to `data`, as Elysia's", async () => {
      const pongs = new Journal<Uint8Array>();
      await using ours = makeServer();
      type Socket = { data: Record<string, ((...what: unknown[]) => void) | undefined> };
      const passing = {
        ...ours.server.websocket,
        open: (it: Socket) => it.data.open?.(it),
        message: (it: Socket, message: unknown) => it.data.message?.(it, message),
        drain: (it: Socket) => it.data.drain?.(it),
        close: (it: Socket, code: unknown, reason: unknown) => it.data.close?.(it, code, reason),
        // These two without the payload.
        ping: (it: Socket) => it.data.ping?.(it),
        pong: (it: Socket) => it.data.pong?.(it),
      };
      await using application = startApplication(ours.server.upgrade.bind(ours.server), {
        websocket: passing as unknown as BunWebSocketOptions,
      });
      using client = await RawClient.open(application.url);
      (await ours.opened.next()).on({ pong: (_connection, payload) => pongs.add(payload) });
      assertEquals(await echoOf(client, 5), "5");
      client.write(clientFrame(9, ""));
      assertEquals((await client.frame())?.opcode, 10);
      client.write(clientFrame(10, "x"));
      assertEquals(await pongs.next(), new Uint8Array());
      client.write(clientFrame(8, closeBytes(1000)));
      assertEquals(await ours.ends.next(), 1000);
      assertEquals([ours.errors, application.errors], [[], []]);
    });

    const wrong: Record<string, BunWebSocketOptions | undefined> = {
      "no `websocket` at all": undefined,
      "other handlers": { message() {} },
    };
    for (const [what, websocket] of Object.entries(wrong)) {
      it(`with ${what} rejects with what to do, and nothing is left of it`, async () => {
        await using ours = makeServer({ maxConnections: 1 });
        await using application = startApplication(ours.server.upgrade.bind(ours.server), {
          websocket,
        });
        for (let i = 0; i < 3; i++) {
          await RawClient.ask(application.url, upgradeRequest());
          assertEquals(await ours.ends.next(), 1006);
          const error = application.errors[i];
          assertInstanceOf(error, WebSocketError);
          assertEquals(error.code, "ERR_INVALID_ARGUMENT");
          assertStringIncludes(error.message, "sockets.websocket`");
        }
        assertEquals(ours.errors, []);
      });
    }

    it("refuses handlers that need what the engine has once, and other than ours", () => {
      const { server } = makeServer();
      for (
        const setting of [
          { idleTimeout: 120 },
          { sendPings: true },
          { backpressureLimit: 1000 },
          { closeOnBackpressureLimit: true },
        ]
      ) {
        const [name] = Object.keys(setting);
        const error = assertThrows(
          () => server.websocketWith({ ...setting, message() {} }),
          WebSocketError,
          name,
        );
        assertEquals(error.code, "ERR_INVALID_ARGUMENT");
        assertEquals(server.error, error);
      }
      server.websocketWith({ idleTimeout: 0, message() {} } as BunWebSocketOptions);
    });
  });
}
