import { assertEquals } from "@std/assert";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { WebSocketServer, type WebSocketServerOptions } from "../../mod.ts";
import { upgradeRequest } from "../support/raw_client.ts";
import { runtime } from "../support/transports.ts";

/** The runtimes' own ways to listen on a path. */
interface Runtimes {
  Deno: { listen(options: { transport: "unix"; path: string }): unknown };
  Bun: { listen(options: { unix: string; socket: unknown; allowHalfOpen: true }): unknown };
}

const runtimes = globalThis as unknown as Runtimes;
type Listener = [name: string, listen: (path: string) => unknown];
const OWN: Record<typeof runtime, Listener[]> = {
  bun: [[
    "Bun.listen",
    (path) => (socket: unknown) => runtimes.Bun.listen({ unix: path, socket, allowHalfOpen: true }),
  ]],
  deno: [["Deno.listen", (path) => runtimes.Deno.listen({ transport: "unix", path })]],
  // Its own are those of node:net.
  node: [],
};
const LISTENERS: Listener[] = [
  ...OWN[runtime],
  ["node:net", (path) => {
    const server = createServer();
    server.listen(path);
    return server;
  }],
];

/** Options that look at the address of a client, and what the client says first. */
const OPTIONS: [name: string, options: WebSocketServerOptions, preface: string, ip: string][] = [
  ["nothing else", {}, "", ""],
  ["trustProxy", { trustProxy: ["127.0.0.1"] }, "", ""],
  ["maxConnectionsPerAddress", { maxConnectionsPerAddress: 1 }, "", ""],
  [
    "proxyProtocol",
    { proxyProtocol: true, trustProxy: ["unix"] },
    "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n",
    "203.0.113.7",
  ],
];

for (const [listener, listen] of LISTENERS) {
  describe(`a Unix socket of ${listener}`, () => {
    for (const [name, options, preface, expected] of OPTIONS) {
      it(`with ${name}: its clients are taken, and their ip is ${expected || "empty"}`, async () => {
        const folder = mkdtempSync(join(tmpdir(), "duet-unix-"));
        const path = join(folder, "socket");
        const errors: Error[] = [];
        const ips: string[] = [];
        try {
          await using server = new WebSocketServer({
            transport: "tcp",
            listen: listen(path),
            debug: 0,
            closeTimeout: 0.2,
            ...options,
            onConnect: (_server, connection) => void ips.push(connection.ip),
            onError: (_server, error) => void errors.push(error),
          });
          await server.start();
          for (let i = 1; i <= 2; i++) {
            const client = connect(path);
            client.write(preface + upgradeRequest());
            const [answer] = await once(client, "data");
            assertEquals(String(answer).split("\r\n")[0], "HTTP/1.1 101 Switching Protocols");
            if (expected !== "") client.destroy();
          }
          assertEquals(ips, [expected, expected]);
          assertEquals(errors, []);
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      });
    }
  });
}
