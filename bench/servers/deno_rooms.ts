// Rooms with Deno.serve alone, which has no topics: a loop over the members.

import { Members } from "./rooms.ts";

const members = new Members<WebSocket>();

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening on ws://127.0.0.1:${port}`),
}, (request) => {
  const path = new URL(request.url).pathname;
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onopen = () => members.join(path, socket);
  socket.onmessage = ({ data }) => {
    for (const member of members.of(path, data)) member.send(data);
  };
  return response;
});
