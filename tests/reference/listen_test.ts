import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { WebSocketError, WebSocketServer } from "../../mod.ts";
import { bunApi, type BunListener } from "../../src/transport/bun_api.ts";
import { denoApi, type DenoListener } from "../../src/transport/deno_api.ts";
import { Journal } from "../support/journal.ts";
import { upgradeRequest } from "../support/raw_client.ts";
import { cert, echo, key, runtime } from "../support/transports.ts";
import { assertInvalid, assertUnsupported } from "../support/unsupported.ts";
import { openWs } from "../support/ws_client.ts";

const hostname = "127.0.0.1";
const tls = { cert, key };

/** A way to make a listening socket for `listen`. */
interface Kind {
  name: string;
  secure: boolean;
  /** Makes what `listen` is given; a folder of its own is there for a Unix socket. */
  make(folder: string): unknown;
}

/** `Bun.listen` with the handlers that `listen` is given. */
// deno-lint-ignore no-explicit-any -- what the handlers are is the library's business
type BunListen = (options: { socket: any; [option: string]: unknown }) => BunListener;
/** `Deno.listen` for what the library does not use of it. */
type DenoListen = (options: { transport: "unix"; path: string }) => DenoListener;

const bunListen = (options: Record<string, unknown>) => (socket: unknown) =>
  (bunApi().listen as unknown as BunListen)({ ...options, socket });

const OF_DENO: Kind[] = [
  {
    name: "a Deno.Listener",
    secure: false,
    make: () => denoApi().listen({ hostname, port: 0 }),
  },
  {
    name: "a Deno.TlsListener",
    secure: true,
    make: () => denoApi().listenTls({ hostname, port: 0, ...tls }),
  },
];

const OF_BUN: Kind[] = [
  {
    name: "a function that calls Bun.listen",
    secure: false,
    make: () => bunListen({ hostname, port: 0, allowHalfOpen: true }),
  },
  {
    name: "a function that calls Bun.listen with tls",
    secure: true,
    make: () => bunListen({ hostname, port: 0, tls }),
  },
];

const OF_NODE: Kind[] = [
  { name: "a node:net Server", secure: false, make: () => createServer() },
  { name: "a node:tls Server", secure: true, make: () => createTlsServer(tls) },
  {
    name: "a node:net Server that listens already",
    secure: false,
    async make() {
      const server = createServer().listen(0, hostname);
      await once(server, "listening");
      return server;
    },
  },
  {
    name: "a node:tls Server that listens already",
    secure: true,
    async make() {
      const server = createTlsServer(tls).listen(0, hostname);
      await once(server, "listening");
      return server;
    },
  },
];

const UNIX: Kind[] = [
  {
    name: "a node:net Server on a Unix socket",
    secure: false,
    async make(folder) {
      const server = createServer().listen(join(folder, "socket"));
      await once(server, "listening");
      return server;
    },
  },
  ...runtime === "node" ? [] : [
    runtime === "deno"
      ? {
        name: "a Deno.Listener on a Unix socket",
        secure: false,
        make: (folder: string) =>
          (denoApi().listen as unknown as DenoListen)({
            transport: "unix",
            path: join(folder, "socket"),
          }),
      }
      : {
        name: "a function that calls Bun.listen on a Unix socket",
        secure: false,
        make: (folder: string) => bunListen({ unix: join(folder, "socket") }),
      },
  ],
];

const OWN = { deno: OF_DENO, bun: OF_BUN, node: [] }[runtime];

describe(`listen over ${runtime}_tcp`, () => {
  for (const { name, secure, make } of [...OWN, ...OF_NODE]) {
    it(`${name}: is served, and its address and TLS-ness are read from it`, async () => {
      const listen = await make("");
      const errors = new Journal<unknown>();
      const server = new WebSocketServer({
        ...echo,
        transport: "tcp",
        listen,
        hostname,
        debug: 0,
        onError: (_server, error) => errors.add(error),
      });
      await server.start();
      assertEquals(server.ip, hostname);
      assert(server.port > 0);
      const { socket, messages, end } = await openWs(
        `${secure ? "wss" : "ws"}://${hostname}:${server.port}`,
      );
      assertEquals(server.isSsl, secure);
      if (typeof listen !== "function") assertStrictEquals(server.listen, listen);
      assertStrictEquals(server.socket, server.listen);
      socket.send("Hello");
      assertEquals(await messages.next(), "Hello");
      const over = server.shutdown();
      assertEquals((await end()).code, 1001);
      await over;
      await assertClosed(connect(server.port, hostname));
      assertEquals(errors.entries, []);
    });
  }

  for (const { name, make } of UNIX) {
    it(`${name}: is served, and its path is the ip`, async () => {
      const folder = mkdtempSync(join(tmpdir(), "duet-"));
      const path = join(folder, "socket");
      try {
        const listen = await make(folder);
        const server = new WebSocketServer({ transport: "tcp", listen, debug: 0 });
        await server.start();
        assertEquals([server.ip, server.port, server.isSsl], [path, 0, false]);
        const client = connect(path);
        client.write(upgradeRequest());
        const [data] = await once(client, "data");
        assertMatch(String(data), /^HTTP\/1\.1 101 /);
        client.destroy();
        await server.shutdown();
        await assertClosed(connect(path));
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }

  it("what is none of them is refused, at the start at the latest, and the error says what can be given", async () => {
    for (const listen of ["0.0.0.0:80", 5, null, [["0.0.0.0", 80]]]) {
      assertInvalid(
        () => new WebSocketServer({ transport: "tcp", listen } as never),
        /Cannot use listen .*addresses/,
      );
    }
    for (const listen of [new Map(), new Date()]) {
      const server = new WebSocketServer({ transport: "tcp", listen, debug: 0 });
      const kind = {
        deno: "Deno.TlsListener",
        bun: "a function that calls Bun.listen",
        node: "under Node",
      }[runtime];
      const error = await assertRejects(() => server.start(), WebSocketError, kind);
      assertEquals(error.code, "ERR_INVALID_ARGUMENT");
      assertMatch(error.message, /node:net or node:tls Server/);
    }
  });

  it("tls beside it throws: a listener has a certificate of its own", () => {
    const listen = createServer();
    assertInvalid(() => new WebSocketServer({ transport: "tcp", listen, tls }), /listen/);
  });
});

it(`listen over ${runtime}_http: throws, and names the transport that can`, () => {
  assertEquals(new WebSocketServer().capabilities.listen, false);
  assertUnsupported(() => new WebSocketServer({ listen: createServer() }));
});

/** Nobody listens there any more. */
async function assertClosed(client: ReturnType<typeof connect>): Promise<void> {
  const [error] = await once(client, "error");
  assertMatch(String(error.code), /ECONNREFUSED|ENOENT/);
}
