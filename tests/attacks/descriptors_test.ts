import { once } from "node:events";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import { it } from "node:test";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { runtime, transports } from "../support/transports.ts";
import { assertAnswers, assertServes } from "./healthy.ts";

/** As many files as the server may open: enough for itself and some dozens of connections. */
const FILES = 120;

/** Starts the echo server with so few file descriptors that they run out. */
function startStarved(transport: "http" | "tcp"): Promise<ServerProcess> {
  const permissions = runtime === "deno" ? "--allow-net --allow-read" : "";
  const program = `"${process.execPath}" run ${permissions} examples/echo.ts`;
  const command = `ulimit -n ${FILES} && exec ${program} --port 0 --transport ${transport}`;
  // Deno looks for a newer version some seconds after its start, which needs descriptors too.
  process.env.DENO_NO_UPDATE_CHECK = "1";
  return ServerProcess.spawn(["sh", "-c", command]);
}

for (const { name, transport } of transports) {
  const skip = process.platform === "win32" && "Windows has no ulimit";
  it(
    `${name}: a full file-descriptor table ends no server, and no connection`,
    { skip },
    async () => {
      await using server = await startStarved(transport);
      await assertServes(server.url);
      using healthy = await RawClient.open(server.url);
      await assertAnswers(healthy);
      const { port } = new URL(server.url);
      const crowd: Socket[] = [];
      for (let i = 0; i < FILES * 2; i++) {
        const socket = connect({ host: "127.0.0.1", port: Number(port) });
        // Those for whom there is no descriptor may be turned away by the system.
        socket.on("error", () => {});
        socket.once("connect", () => socket.write(upgradeRequest()));
        crowd.push(socket);
      }
      // The system takes connections in before the server does: as many as there is room for.
      await Promise.race(crowd.slice(-20).map((socket) => once(socket, "connect").catch(() => {})));
      for (let round = 0; round < 20; round++) {
        await assertAnswers(healthy);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assertEquals(server.ended, false, server.output);
      for (const socket of crowd) socket.destroy();
      let served = false;
      for (let tries = 0; tries < 100 && !served; tries++) {
        served = await assertServes(server.url).then(() => true, () => false);
        if (!served) await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert(served, `nobody was served afterwards\n${server.output}`);
      await assertAnswers(healthy);
      assertEquals(
        server.output.replace(/^Cannot accept connections for now: .*\n/gm, "").trim(),
        "",
      );
    },
  );
}
