/** The tests of elysia_test.ts: Elysia's types bring Bun's, which clash with Deno's. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Elysia } from "elysia";
import { websocket as own } from "elysia/ws";
import { describe, it } from "node:test";
import { type BunWebSocketOptions, WebSocketServer } from "../../mod.ts";
import { connect } from "../../client/mod.ts";
import { Journal } from "../support/journal.ts";

const where = { hostname: "127.0.0.1", port: 0 };

/** A server that echoes, and what it is told. */
function makeSockets() {
  const told = new Journal<unknown>();
  const errors: Error[] = [];
  const sockets = new WebSocketServer({
    debug: 0,
    closeTimeout: 2,
    onError: (_server, error) => void errors.push(error),
    onConnect(_server, connection) {
      connection.on({
        utf8: (connection, data) => void connection.send(`duet ${data}`),
        binary: (connection, data) => void connection.send(data),
        disconnect: (_connection, code, reason) => told.add([code, reason]),
      });
    },
  });
  return { sockets, told, errors };
}

/** What comes back for a message; a close code where the connection ends instead. */
async function answerOf(url: string, message: string | Uint8Array): Promise<unknown> {
  const end = new Journal<number>();
  const client = await connect(url, {
    debug: 0,
    handlers: { disconnect: (_client, code) => end.add(code) },
  });
  client.send(message);
  const answer = await client.recv() ?? `closed ${await end.next()}`;
  client.disconnect(1000, "bye");
  await end.first(1);
  return answer;
}

/** Where Elysia is given the handlers for the WebSockets of both: its options, and those of listen(). */
const MOUNTS: Record<string, (sockets: WebSocketServer) => [made: object, listening: object]> = {
  "its constructor": (sockets) => [{ websocket: sockets.websocket }, {}],
  "listen(), together with its own": (sockets) => [{}, {
    websocket: sockets.websocketWith(own as BunWebSocketOptions),
  }],
};
for (const [name, mount] of Object.entries(MOUNTS)) {
  describe(`Elysia with a server's handlers in ${name}`, () => {
    it("serves its own WebSockets beside the server's, and each gets its own", async () => {
      const { sockets, told, errors } = makeSockets();
      const [made, listening] = mount(sockets);
      const app = new Elysia(made)
        .ws("/own", { message: (ws, message) => void ws.send(`own ${message}`) })
        .get("/ws", ({ request, server }) => sockets.upgrade(request, server))
        .get("/", () => "home")
        .listen({ ...where, ...listening });
      const url = `ws://127.0.0.1:${app.server!.port}`;
      for (let time = 0; time < 2; time++) {
        assertEquals(await answerOf(`${url}/own`, "hi"), "own hi");
        assertEquals(await answerOf(`${url}/ws`, "hi"), "duet hi");
        assertEquals(await answerOf(`${url}/ws`, Uint8Array.of(1, 2)), Uint8Array.of(1, 2));
      }
      assertEquals(await told.first(4), Array(4).fill([1000, "bye"]));
      assertEquals(await (await fetch(url.replace("ws:", "http:"))).text(), "home");
      assertEquals(errors, []);
      await sockets.shutdown();
      await app.stop(true);
    });
  });
}

describe("Elysia with the server's handlers alone in listen()", () => {
  it("loses its own WebSockets with 1011, and the error says what to do", async () => {
    const { sockets, errors } = makeSockets();
    const websocket = sockets.websocket as object;
    const app = new Elysia()
      .ws("/own", { message: (ws, message) => void ws.send(`own ${message}`) })
      .get("/ws", ({ request, server }) => sockets.upgrade(request, server))
      .listen({ ...where, websocket });
    const url = `ws://127.0.0.1:${app.server!.port}`;
    assertEquals(await answerOf(`${url}/own`, "hi"), "closed 1011");
    assertEquals(await answerOf(`${url}/ws`, "hi"), "duet hi");
    assertEquals(errors.length, 1);
    assertStringIncludes(errors[0].message, "websocketWith()");
    await sockets.shutdown();
    await app.stop(true);
  });
});
