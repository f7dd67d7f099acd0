/**
 * A chat with rooms: nicknames, who is here, the last messages for newcomers, and a page to use it.
 *
 * ```sh
 * deno run --allow-net --allow-read examples/chat.ts
 * bun run examples/chat.ts
 * ```
 *
 * Several servers, under Deno and Bun alike, share their rooms over Redis: `--redis redis://localhost`. Under
 * Deno that takes `--allow-env` or `--ignore-env` too.
 *
 * In public, say where its page is: `--origin https://chat.example.com`.
 *
 * The messages are described in `chat_protocol.ts`, the rooms are in `chat_rooms.ts`, and the page
 * is `chat.html` with its `chat.css`, `chat_client.js` and `chat_connection.js`.
 *
 * @module
 */
import { WebSocketServer } from "../mod.ts";
import { chatEngine, engineFlags, engineMessage, tellOfEngine } from "./chat_engine.ts";
import { ChatError, limits, parseClientMessage, type ServerMessage } from "./chat_protocol.ts";
import { Guest, Rooms, roomTopics } from "./chat_rooms.ts";
import { readFlags, runServer, serverUrl } from "./flags.ts";
import { servePage } from "./page.ts";
import { requireSameOrigin } from "./same_origin.ts";

const flags = readFlags({
  name: "chat.ts",
  about: "A chat with rooms, and a page to use it.",
  port: 8080,
  own: engineFlags,
});
const engine = await chatEngine(flags.own);
const server = await runServer(flags, createServer);
console.log(`open ${serverUrl(server, flags, "http")}/ in a browser`);

function createServer(): WebSocketServer<Guest> {
  const server = new WebSocketServer({
    connectionClass: Guest,
    topics: roomTopics,
    ...(engine !== undefined && { engine }),
    maxRecvSize: 16 * 1024, // the longest message with every character escaped, and some to spare
    ...flags.options,
    onRequest: servePage("chat.html", "chat.css", "chat_client.js", "chat_connection.js"),
    onConnect(_server, guest) {
      guest.on({
        // Behind a proxy Host may be another: then --origin tells what the pages' origin is.
        handshake: flags.options.allowedOrigins === undefined ? requireSameOrigin : undefined,
        ready: (guest) => {
          if (!server.engine.state.up) guest.sendUtf8(engineMessage(false));
        },
        message: (guest, data) => receive(rooms, guest, data),
      });
    },
  });
  const rooms = new Rooms(server);
  tellOfEngine(server);
  return server;
}

async function receive(rooms: Rooms, guest: Guest, data: string | Uint8Array): Promise<void> {
  const { rate } = guest;
  try {
    if (!rate.take()) throw new ChatError("too-fast", "You are sending too fast. Wait a moment.");
    if (typeof data !== "string") throw new ChatError("bad-message", "A message must be text.");
    await rooms.receive(guest, parseClientMessage(data));
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    const reply: ServerMessage = { type: "error", code: error.code, message: error.message };
    guest.sendUtf8(JSON.stringify(reply));
    // A client that goes on regardless of the answers is not worth answering.
    if (rate.refused > limits.burst) guest.disconnect(1008, "too many messages");
  }
}
