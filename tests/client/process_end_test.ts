import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { assertEquals } from "@std/assert";
import { type HostilePeer, HostileServer } from "../support/hostile_server.ts";
import { patiently } from "../support/patience.ts";
import { commandOf } from "../support/server_process.ts";
import { runtime } from "../support/transports.ts";

const ANSWERS: Record<string, (peer: HostilePeer) => unknown> = {
  "refuse": ({ socket }) => socket.write("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"),
  "agree-wrongly": ({ socket, agree }) => socket.write(agree().replace(/Accept: .*/, "Accept: a")),
  "redirect": ({ socket }) =>
    socket.write("HTTP/1.1 302 Found\r\nLocation: /mute\r\nContent-Length: 0\r\n\r\n"),
  "mute": () => {},
  "leave": ({ socket }) => socket.end(),
  "agree": ({ socket, agree }) => socket.write(agree()),
};

describe("a program with a client", () => {
  it("ends by itself after attempts that failed, and a connection that has ended", async () => {
    await using server = await HostileServer.start((peer) => {
      const [, path] = /^GET \/(\S*)/.exec(peer.request) ?? [];
      ANSWERS[path](peer);
    });
    const script = fileURLToPath(new URL("attempts.ts", import.meta.url));
    const [program, ...args] = [...commandOf(runtime), script, server.url];
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => said += text);
    const kill = () => void child.kill("SIGKILL");
    process.once("exit", kill);
    const [code] = await patiently(once(child, "close"), "the end of a program").finally(kill);
    process.off("exit", kill);
    assertEquals(said, "ERR_REFUSED ERR_PROTOCOL ERR_CONNECT ERR_CONNECT ERR_CONNECT enough\n");
    assertEquals(code, 0);
  });
});
