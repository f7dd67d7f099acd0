// Rooms with `ws`, which has no topics: a loop over the members.

import process from "node:process";
import { WebSocket, WebSocketServer } from "ws";

const topics = new Map();
const names = process.argv.includes("--topics")
  ? Number(process.argv[process.argv.indexOf("--topics") + 1])
  : 1;

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("connection", (socket, request) => {
  for (let i = 0; i < names; i++) {
    const topic = request.url + "/" + String(i).padStart(4, "0");
    if (!topics.has(topic)) topics.set(topic, new Set());
    topics.get(topic).add(socket);
  }
  socket.on("error", (error) => process.stderr.write(`a connection failed: ${error.message}\n`));
  socket.on("message", (data, isBinary) => {
    for (const member of topics.get(request.url + "/" + data.toString("latin1", 0, 4))) {
      if (member.readyState === WebSocket.OPEN) member.send(data, { binary: isBinary });
    }
  });
});
server.on("listening", () => {
  console.log(`listening on ws://127.0.0.1:${server.address().port}`);
});
