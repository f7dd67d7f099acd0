import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { describe, it } from "node:test";
import {
  type AcceptInfo,
  type ConnectionInit,
  ConnectionList,
  type DebugLevel,
  type Extension,
  type Logger,
  permessageDeflate,
  WebSocketConnection,
  WebSocketServer,
  WebSocketVersion,
} from "../../mod.ts";
import { clientFrame } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { echo, handling, serve, transports } from "../support/transports.ts";
import { assertInvalid, assertUnsupported } from "../support/unsupported.ts";
import { openWs } from "../support/ws_client.ts";

/** An extension that turns every message round, marked by RSV2. */
const reverse: Extension = {
  name: "x-reverse",
  negotiate: () => ({
    rsv: 0x20,
    parameters: [["by", "bytes"]],
    decode: (payload) => payload.reverse(),
    encode: (payload) => payload.slice().reverse(),
  }),
};

class Player extends WebSocketConnection {
  score = 0;

  award(points: number): boolean {
    this.score += points;
    return this.sendUtf8(`${this.score} points`);
  }
}

for (const variant of transports) {
  const { transport, name, engine } = variant;
  const { capabilities } = new WebSocketServer({ transport });

  // Which values each option refuses is in tests/integration/start_test.ts.
  describe(`server options over ${name}`, () => {
    it("extensions: an unknown name, none at all and one twice throw at construction", () => {
      const unknown = () => new WebSocketServer({ transport, extensions: "x-unknown" });
      assertInvalid(unknown, /"x-unknown".*"permessage-deflate"/);
      const noExtension = {} as Extension;
      assertInvalid(() => new WebSocketServer({ transport, extensions: noExtension }), /Extension/);
      const twice = ["permessage-deflate", permessageDeflate()];
      assertInvalid(() => new WebSocketServer({ transport, extensions: twice }), /once/);
    });

    if (capabilities.compression) {
      it("extensions: permessage-deflate by name and with parameters", async () => {
        for (
          const [extension, answer] of [
            ["permessage-deflate", /^permessage-deflate; .*client_no_context_takeover/],
            [permessageDeflate({ contextTakeover: true }), /^permessage-deflate(?!.*client_no)/],
          ] as const
        ) {
          const names = new Journal<readonly string[]>();
          await using served = await serve(variant, {
            ...handling({ ready: (connection) => names.add(connection.extensions) }),
            extensions: extension,
          });
          assertEquals(served.server.extensions.map((it) => it.name), ["permessage-deflate"]);
          using client = await RawClient.connect(served.url);
          client.write(upgradeRequest({ "Sec-WebSocket-Extensions": "permessage-deflate" }));
          const { headers } = await client.response(true);
          assertMatch(headers.get("sec-websocket-extensions") ?? "", answer);
          assertEquals(await names.next(), ["permessage-deflate"]);
        }
      });
    } else {
      it("extensions: permessage-deflate throws, and names the transport that has it", () => {
        const extensions = "permessage-deflate";
        assertUnsupported(() => new WebSocketServer({ transport, extensions }));
      });
    }

    if (capabilities.extensions) {
      it("extensions: one of the user's own, in an array with others", async () => {
        await using served = await serve(variant, {
          ...echo,
          extensions: ["permessage-deflate", reverse],
          compressionThreshold: 0,
        });
        using client = await RawClient.connect(served.url);
        client.write(upgradeRequest({ "Sec-WebSocket-Extensions": "x-reverse" }));
        const { headers } = await client.response(true);
        assertEquals(headers.get("sec-websocket-extensions"), "x-reverse; by=bytes");
        client.write(clientFrame(1, "olleH", { rsv: 0x20 }));
        const frame = await client.frame();
        assertEquals([frame?.rsv, frame?.payload.toString()], [0x20, "olleH"]);
      });

      it("extensions: permessage-deflate with every parameter", async () => {
        const parameters = { serverMaxWindowBits: 10, clientMaxWindowBits: 11, level: 9 };
        await using served = await serve(variant, { extensions: permessageDeflate(parameters) });
        using client = await RawClient.connect(served.url);
        const offer = "permessage-deflate; client_max_window_bits";
        client.write(upgradeRequest({ "Sec-WebSocket-Extensions": offer }));
        const answer = (await client.response(true)).headers.get("sec-websocket-extensions") ?? "";
        assertMatch(answer, /server_max_window_bits=10/);
        assertMatch(answer, /client_max_window_bits=11/);
      });
    } else {
      it("extensions: others than the engine's throw, and name the transport that has them", () => {
        assertUnsupported(() => new WebSocketServer({ transport, extensions: reverse }));
        const tuned = permessageDeflate({ serverMaxWindowBits: 10 });
        assertUnsupported(() => new WebSocketServer({ transport, extensions: tuned }));
        const disguised = { ...reverse, name: "permessage-deflate" };
        assertUnsupported(() => new WebSocketServer({ transport, extensions: disguised }));
      });
    }

    it("connectionClass: handlers get the subclass, which may override and add", async () => {
      class Loud extends Player {
        override sendUtf8(data: string): boolean {
          return super.sendUtf8(data.toUpperCase());
        }
      }
      await using served = await serve(variant, {
        connectionClass: Loud,
        onConnect: (_server, player) => void player.on({ utf8: (player) => player.award(3) }),
      });
      const { socket, messages } = await openWs(served.url);
      socket.send("hit");
      socket.send("hit");
      assertEquals(await messages.first(2), ["3 POINTS", "6 POINTS"]);
      assert([...served.server.connections].every((it) => it instanceof Loud && it.score === 6));
      socket.terminate();
    });

    it("connectionClass: limits set by the constructor stay", async () => {
      class Small extends WebSocketConnection {
        constructor(init: ConnectionInit) {
          super(init);
          this.maxRecvSize = 10;
          this.maxSendSize = 20;
          this.compressionThreshold = 30;
        }
      }
      const limits = new Journal<number[]>();
      await using served = await serve(variant, {
        connectionClass: Small,
        onConnect(_server, { maxRecvSize, maxSendSize, compressionThreshold }) {
          limits.add([maxRecvSize, maxSendSize, compressionThreshold]);
        },
      });
      using _client = await RawClient.open(served.url);
      assertEquals(await limits.next(), [10, 20, 30]);
    });

    it("connectionClass: anything but a subclass of WebSocketConnection throws", () => {
      for (const wrong of [Map, {}, "Player"]) {
        const connectionClass = wrong as unknown as typeof WebSocketConnection;
        assertInvalid(() => new WebSocketServer({ transport, connectionClass }), /subclass/);
      }
    });

    it("onAccept: is given server, socket and subprotocol, and what it returns is used", async () => {
      const accepted = new Journal<AcceptInfo<Player>>();
      await using served = await serve(variant, {
        subprotocol: ["chess", "go"],
        onAccept(info: AcceptInfo<Player>) {
          accepted.add(info);
          const player = new Player(info);
          player.data = "made by onAccept";
          return player;
        },
        onConnect: (_server, player) => {
          player.onReady = () => void player.award(1);
        },
      });
      const { messages, socket } = await openWs(served.url);
      assertEquals(await messages.next(), "1 points");
      const info = await accepted.next();
      assertStrictEquals(info.server, served.server);
      assertEquals(info.subprotocol, ["chess", "go"]);
      assert(info.socket !== undefined);
      if (engine === "tcp") {
        assertStrictEquals(info.socket, served.server.connections.map((it) => it.socket)[0]);
      } else assert(info.socket instanceof Request);
      assertEquals(served.server.connections.map((it) => it.data), ["made by onAccept"]);
      socket.terminate();
    });

    it("onAccept: with nothing returned, connectionClass is used", async () => {
      for (const nothing of [undefined, Promise.resolve(undefined)]) {
        const made = new Journal<boolean>();
        await using served = await serve(variant, {
          connectionClass: Player,
          onAccept: () => nothing,
          onConnect: (_server, connection) => made.add(connection instanceof Player),
        });
        using _client = await RawClient.open(served.url);
        assertEquals(await made.next(), true);
      }
    });

    it("port: 0 or left out, the system chooses, and it can be read", async () => {
      for (const port of [undefined, 0]) {
        await using served = await serve(variant, { port });
        assert(served.server.port > 0);
        using _client = await RawClient.open(`ws://127.0.0.1:${served.server.port}`);
      }
      for (const port of [-1, 65_536, 1.5, NaN, "80" as unknown as number]) {
        assertInvalid(() => new WebSocketServer({ transport, port }), /port.*0 to 65535/);
      }
    });

    it("version, versions: numbers, numerals, the draft's name and WebSocketVersion", () => {
      const versions = (given: ConstructorParameters<typeof WebSocketServer>[0]) =>
        new WebSocketServer({ transport, ...given }).versions.map(Number);
      assertEquals(versions({}), [13]);
      for (const version of [13, "13", "draft-ietf-hybi-17", new WebSocketVersion(13)]) {
        assertEquals(versions({ version }), [13]);
        assertEquals(versions({ versions: [version, 8, "draft-ietf-hybi-07"] }), [13, 8, 7]);
      }
      assertInvalid(() => versions({ version: 12 }), /12.*13, 8 or 7/);
      assertInvalid(() => versions({ version: "draft-ietf-hybi-00" }), /13, 8 or 7/);
      assertInvalid(() => versions({ versions: [] }), /at least one/);
    });

    it("subprotocol, selectSubprotocol: the connection tells what was agreed on", async () => {
      for (
        const [selectSubprotocol, agreed] of [
          [undefined, "go"],
          [(offered: readonly string[]) => offered[0], "chess"],
          [() => undefined, undefined],
        ] as const
      ) {
        const told = new Journal<string | undefined>();
        await using served = await serve(variant, {
          ...handling({ ready: (connection) => told.add(connection.subprotocol) }),
          subprotocol: ["go", "chess"],
          selectSubprotocol,
        });
        using client = await RawClient.connect(served.url);
        client.write(upgradeRequest({ "Sec-WebSocket-Protocol": "chess, go" }));
        const { headers } = await client.response(true);
        assertEquals(headers.get("sec-websocket-protocol"), agreed ?? null);
        assertEquals(await told.next(), agreed);
      }
      const subprotocol = ["no token"];
      assertInvalid(() => new WebSocketServer({ transport, subprotocol }), /subprotocol.*tokens/);
    });

    it("compressionThreshold: 1024 by default, and each connection starts with it", async () => {
      assertEquals(new WebSocketServer({ transport }).compressionThreshold, 1024);
      const thresholds = new Journal<number>();
      await using served = await serve(variant, {
        compressionThreshold: 99,
        onConnect: (_server, connection) => thresholds.add(connection.compressionThreshold),
      });
      using _client = await RawClient.open(served.url);
      assertEquals(await thresholds.next(), 99);
    });

    it("debug, logger: each level prints what those below do, and more", async () => {
      const expected: Record<DebugLevel, RegExp[]> = {
        0: [],
        1: [/^error .* handler failed: cannot take Hello/],
        2: [/^error/, /^warn Cannot watch a stream twice/],
        3: [/^error/, /^warn/, /^info Listening/, /^info .* connected/, /^info .* left/],
        4: [
          /^debug 127\.0\.0\.1:\d+ < text \[5\] "Hello"$/,
          /^debug .* > text \[1\] "[^"]*"$/,
          /^debug .* > binary \[3\] 01 02 ff$/,
        ],
      };
      for (const debug of [0, 1, 2, 3, 4] as const) {
        const lines = await logOf(debug);
        for (const line of expected[debug]) {
          assert(lines.some((it) => line.test(it)), `${debug}: no ${line} in\n${lines.join("\n")}`);
        }
        const methods = ["error", "warn", "info", "debug"].slice(0, debug);
        assert(lines.every((it) => methods.some((method) => it.startsWith(method))), `${lines}`);
      }
    });

    async function logOf(debug: DebugLevel): Promise<string[]> {
      const lines: string[] = [];
      const log = (method: keyof Logger) => (message: string) => {
        lines.push(`${method} ${message}`);
      };
      const logger: Logger = {
        debug: log("debug"),
        info: log("info"),
        warn: log("warn"),
        error: log("error"),
      };
      const left = new Journal<number>();
      await using served = await serve(variant, {
        debug,
        logger,
        ...handling({
          utf8(connection, data) {
            connection.sendUtf8("…");
            connection.sendBinary(Uint8Array.of(1, 2, 255));
            throw new Error(`cannot take ${data}`);
          },
          disconnect: (_connection, code) => left.add(code),
        }),
      });
      const source = new ReadableStream();
      served.server.watchReadable(source, () => {}).watchReadable(source, () => {});
      const { socket, messages } = await openWs(served.url);
      socket.send("Hello");
      await messages.first(2);
      socket.close(1000);
      await left.next();
      return lines;
    }

    it("debug: a logger that throws takes nothing down", async (t) => {
      const broken = () => {
        throw new Error("the disk is full");
      };
      t.mock.method(console, "error", () => {});
      await using served = await serve(variant, {
        ...echo,
        debug: 4,
        logger: { debug: broken, info: broken, warn: broken, error: broken },
      });
      const { socket, messages } = await openWs(served.url);
      socket.send("still here");
      assertEquals(await messages.next(), "still here");
      socket.terminate();
    });

    it("legacy: connections is a plain array, else a ConnectionList", async () => {
      for (const legacy of [true, false]) {
        const ready = new Journal<WebSocketConnection>();
        await using served = await serve(variant, { ...handling({ ready: ready.add }), legacy });
        using _client = await RawClient.open(served.url);
        const connection = await ready.next();
        const { connections } = served.server;
        assertEquals(Array.isArray(connections), legacy);
        assertEquals(connections instanceof ConnectionList, !legacy);
        assertEquals([...connections], [connection]);
      }
    });
  });
}

describe("WebSocketVersion", () => {
  it("stringifies and compares as its number", () => {
    const [seven, thirteen] = [new WebSocketVersion(7), new WebSocketVersion("draft-ietf-hybi-17")];
    assertEquals([`${thirteen}`, String(seven), thirteen + ""], ["13", "7", "13"]);
    assert(thirteen > seven && seven < thirteen && thirteen >= new WebSocketVersion(13));
    assertEquals([+thirteen, Number(seven), thirteen.valueOf() === 13], [13, 7, true]);
    assertEquals([thirteen.number, thirteen.draft], [13, "draft-ietf-hybi-17"]);
    assertEquals([thirteen, seven].sort((a, b) => +a - +b), [seven, thirteen]);
  });
});
