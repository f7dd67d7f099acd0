/** Plays the cells that its argument lists, as JSON, and prints what comes of them, a line each. */
import { Centrifuge as Json } from "centrifuge";
import { Centrifuge as Protobuf } from "centrifuge/build/protobuf";
import process from "node:process";
import { WebSocket as OfWs } from "ws";
import { story } from "./story.js";

// Node 22's own WebSocket has no "close" event where it cannot connect, and the library waits for that.
const websocket = "Bun" in globalThis || "Deno" in globalThis ? WebSocket : OfWs;
const say = (told: object) => console.log(JSON.stringify(told));

for (const cell of JSON.parse(process.argv[2])) {
  void story(cell.codec === "JSON" ? Json : Protobuf, websocket, cell, say);
}
