/**
 * A lobby: rooms, and who is in them. A client says who it is, `ws://…/?name=Ada`, and sends `{"join": room}`,
 * `{"leave": room}` or `{"room": room, "say": text}`. All in the room are told.
 *
 * @module
 */
import { type WebSocketConnection, WebSocketServer } from "../mod.ts";
import { readFlags, runServer } from "./flags.ts";

const flags = readFlags({ name: "lobby.ts", about: "Rooms, and who is in them.", port: 8084 });
const server = await runServer(flags, () =>
  new WebSocketServer({
    topics: { presence: true },
    ...flags.options,
    onConnect: (_server, guest) =>
      void guest.on({
        handshake: (guest, handshake) => nameOf(guest) ? undefined : handshake.reject(400),
        utf8: (guest, text) => serve(guest, text).catch(() => guest.disconnect(1008)),
      }),
    onUnsubscribe: (server, guest, room) =>
      server.publish(room, JSON.stringify({ room, left: nameOf(guest) })),
  }));

async function serve(guest: WebSocketConnection, text: string): Promise<void> {
  const name = nameOf(guest);
  const { join, leave, room, say } = JSON.parse(text);
  if (join !== undefined) {
    await guest.subscribe(join, { user: name });
    const members = (await server.members(join)).map(({ user }) => user);
    await server.publish(join, JSON.stringify({ room: join, joined: name, members }));
  } else if (leave !== undefined) guest.unsubscribe(leave);
  else if (guest.isSubscribed(room)) {
    await server.publish(room, JSON.stringify({ room, from: name, say }));
  }
}

function nameOf(guest: WebSocketConnection): string {
  return guest.handshake!.request.uri.searchParams.get("name") ?? "";
}
