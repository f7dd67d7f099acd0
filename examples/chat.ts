/**
 * A chat with rooms: nicknames, who is here, the last messages for newcomers, and a page to use it.
 *
 * ```sh
 * deno run --allow-net --allow-read examples/chat.ts
 * bun run examples/chat.ts
 * ```
 *
 * In public, say where its page is: `--origin https://chat.example.com`.
 *
 * The messages are described in `chat_protocol.ts`, the rooms are in `chat_rooms.ts`, and the page
 * is `chat.html` with its `chat.css`, `chat_client.js` and `chat_connection.js`.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { type WebSocketConnection, WebSocketServer } from "../mod.ts";
import { ChatError, limits, parseClientMessage, type ServerMessage } from "./chat_protocol.ts";
import { RateLimit } from "./chat_rate_limit.ts";
import { Rooms } from "./chat_rooms.ts";
import { readFlags, runServer, serverUrl } from "./flags.ts";
import { requireSameOrigin } from "./same_origin.ts";

const files = new Map([
  ["/", readFile("chat.html", "text/html")],
  ["/chat.css", readFile("chat.css", "text/css")],
  ["/chat_client.js", readFile("chat_client.js", "text/javascript")],
  ["/chat_connection.js", readFile("chat_connection.js", "text/javascript")],
]);

// The page may use what this server serves and nothing else, and no text can become markup or code.
const pageHeaders = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "cache-control": "no-cache",
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const flags = readFlags({
  name: "chat.ts",
  about: "A chat with rooms, and a page to use it.",
  port: 8080,
});
const server = await runServer(flags, createServer);
console.log(`open ${serverUrl(server, flags, "http")}/ in a browser`);

function createServer(): WebSocketServer {
  const rooms = new Rooms<WebSocketConnection>((text, to) => server.broadcast(text, to));
  const server = new WebSocketServer({
    maxRecvSize: 16 * 1024, // the longest message with every character escaped, and some to spare
    ...flags.options,
    onRequest: serveFile,
    onConnect(_server, connection) {
      const rate = new RateLimit();
      connection.on({
        // Behind a proxy Host may be another: then --origin tells what the pages' origin is.
        handshake: flags.options.allowedOrigins === undefined ? requireSameOrigin : undefined,
        message: (connection, data) => receive(rooms, connection, rate, data),
        disconnect: (connection) => rooms.leave(connection),
      });
    },
  });
  return server;
}

function receive(
  rooms: Rooms<WebSocketConnection>,
  connection: WebSocketConnection,
  rate: RateLimit,
  data: string | Uint8Array,
): void {
  try {
    if (!rate.take()) throw new ChatError("too-fast", "You are sending too fast. Wait a moment.");
    if (typeof data !== "string") throw new ChatError("bad-message", "A message must be text.");
    rooms.receive(connection, parseClientMessage(data));
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    const reply: ServerMessage = { type: "error", code: error.code, message: error.message };
    connection.sendUtf8(JSON.stringify(reply));
    // A client that goes on regardless of the answers is not worth answering.
    if (rate.refused > limits.burst) connection.disconnect(1008, "too many messages");
  }
}

function serveFile(request: Request): Response {
  const file = files.get(new URL(request.url).pathname);
  if (file === undefined) {
    return new Response("There is nothing here. The chat is at /.\n", { status: 404 });
  }
  const headers = { ...pageHeaders, "content-type": file.type };
  switch (request.method) {
    case "GET":
      return new Response(file.text, { headers });
    case "HEAD":
      return new Response(null, { headers });
    default:
      return new Response("Only GET and HEAD work here.\n", {
        status: 405,
        headers: { allow: "GET, HEAD" },
      });
  }
}

function readFile(name: string, type: string): { text: string; type: string } {
  const text = readFileSync(new URL(name, import.meta.url), "utf8");
  return { text, type: `${type}; charset=utf-8` };
}
