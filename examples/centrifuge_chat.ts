/**
 * A chat whose clients come back by themselves: close the lid or change the network, and nothing is missing.
 * Its page uses npm `centrifuge` as it is; `centrifuge_chat.py` is a client in Python for the same room.
 *
 * ```sh
 * deno run --allow-net --allow-read examples/centrifuge_chat.ts
 * bun run examples/centrifuge_chat.ts
 * ```
 *
 * Everybody is who they say they are: `docs/CLIENTS.md` tells how to ask for a token.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { WebSocketServer } from "../mod.ts";
import { Centrifuge, CentrifugeError } from "../src/centrifuge/mod.ts";
import { readFlags, runServer, serverUrl } from "./flags.ts";
import { servePage } from "./page.ts";

const LONGEST = 500;
const ROOM = "room";

const flags = readFlags({
  name: "centrifuge_chat.ts",
  about: "A chat whose clients come back by themselves, and a page to use it.",
  port: 8082,
});
const server = await runServer(flags, createServer);
console.log(`open ${serverUrl(server, flags, "http")}/ in a browser`);

function createServer(): WebSocketServer {
  const page = servePage("centrifuge_chat.html", "centrifuge_chat_page.js");
  const library = new URL("../node_modules/centrifuge/dist/centrifuge.js", import.meta.url);
  const script = readFileSync(library, "utf8");
  const server = new WebSocketServer({
    ...flags.options,
    topics: { history: { count: 200, age: 24 * 3600 }, presence: true },
    onRequest: (request) =>
      new URL(request.url).pathname === "/centrifuge.js"
        ? new Response(script, { headers: { "content-type": "text/javascript" } })
        : page(request),
  });
  new Centrifuge<{ name: string }>(server, {
    onConnect({ data }) {
      const name = textOf(data, 30);
      return { user: name, info: { name } };
    },
    onSubscribe: (_client, { topic }) =>
      topic === ROOM && { recover: true, joinLeave: true, presence: true, history: true },
    onPublish(client, { topic, data }) {
      textOf(data, LONGEST);
      return client.isSubscribed(topic);
    },
  });
  return server;
}

/** What a client says must be a text in JSON. */
function textOf(data: string | Uint8Array | undefined, longest: number): string {
  const text: unknown = typeof data === "string" ? JSON.parse(data) : undefined;
  if (typeof text === "string" && text.length > 0 && text.length <= longest) return text;
  throw new CentrifugeError(107, `a text of 1 to ${longest} characters is wanted`);
}
