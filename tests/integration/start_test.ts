import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  type Capabilities,
  type Extension,
  permessageDeflate,
  WebSocketError,
  WebSocketServer,
  type WebSocketServerOptions,
} from "../../mod.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { cert, key, runtime, transports, variants } from "../support/transports.ts";

const run = promisify(execFile);

/** An extension of the user's own that does nothing. */
const own: Extension = { name: "x-own", negotiate: () => undefined };

/** For each option some values that it does not take. */
const BAD: Record<string, unknown[]> = {
  transport: ["udp", "HTTP", null],
  port: [-1, 65_536, 1.5, NaN, "8080", null],
  hostname: [127, null],
  tls: [{}, { cert }, { cert, key: 1 }, "pem", null],
  onRequest: ["yes", {}],
  onAccept: [1],
  onConnect: [true],
  onShutdown: [[]],
  onTick: ["tick"],
  onError: [null],
  connectionClass: [class {}, {}, "WebSocketConnection"],
  extensions: ["x-unknown", ["permessage-deflate", "permessage-deflate"], [null], [{}]],
  subprotocol: ["chat", ["a b"], [""], ["a,b"], [1]],
  selectSubprotocol: ["chat"],
  version: [12, "draft-ietf-hybi-00", NaN],
  versions: [[], [13, 14], ["new"]],
  compressionThreshold: [-1, 0.5, "1024"],
  maxRecvSize: [-1, Infinity, "1 MB"],
  maxSendSize: [-1, NaN],
  maxFragments: [0, 1.5],
  maxReserve: [0],
  maxControlFrames: [0],
  maxHeaderSize: [0],
  maxHeaderFields: [0],
  maxConnections: [0, -5],
  highWaterMark: [-1],
  maxBufferedAmount: [-1],
  handshakeTimeout: [-1, NaN, "10s", 1e9],
  closeTimeout: [-0.1],
  silenceMax: [-1],
  silenceCheckInterval: [-1],
  tickPeriod: [-1, "1"],
  debug: [5, -1, 1.5, "all"],
  logger: [{}, console.log, "console"],
  legacy: ["yes", 1],
  ports: [80],
  onConnection: [() => {}],
  constructor: [1],
  toString: [() => ""],
};

describe("a bad option", () => {
  for (const [name, values] of Object.entries(BAD)) {
    it(`${name} throws at construction, with its name: ERR_INVALID_ARGUMENT`, () => {
      for (const value of values) {
        const options = { [name]: value } as WebSocketServerOptions;
        const error = assertThrows(() => new WebSocketServer(options), WebSocketError);
        assertEquals(error.code, "ERR_INVALID_ARGUMENT", String(value));
        assert(
          error.message.includes(name.replace(/s$/, "")),
          `the message names ${name}: ${error.message}`,
        );
        assert(!/undefined|\[object|BEGIN/.test(error.message), error.message);
      }
    });
  }

  it("of permessageDeflate throws a RangeError", () => {
    for (
      const bad of [{ level: 0 }, { level: 10 }, { serverMaxWindowBits: 7 }, {
        clientMaxWindowBits: 16,
      }]
    ) {
      assertThrows(() => permessageDeflate(bad), RangeError, Object.keys(bad)[0]);
    }
  });

  it("left undefined is as if it were not there", () => {
    const options = Object.fromEntries(
      Object.keys(BAD).slice(0, -4).map((name) => [name, undefined]),
    );
    const { port, silenceMax, versions } = new WebSocketServer(options);
    assertEquals([port, silenceMax, versions.map(Number)], [0, 20, [13]]);
  });
});

/** What DESIGN says that each can do. */
const CAPABILITIES: Record<string, Capabilities> = {
  deno_http: {
    compression: false,
    extensions: false,
    ping: false,
    enginePongs: true,
    pause: false,
    socket: false,
    listen: false,
    mount: true,
  },
  bun_http: {
    compression: true,
    extensions: false,
    ping: true,
    enginePongs: true,
    pause: true,
    socket: false,
    listen: false,
    mount: true,
  },
};
/** What our own engine can do. */
const TCP: Capabilities = {
  compression: true,
  extensions: true,
  ping: true,
  enginePongs: false,
  pause: true,
  socket: true,
  listen: true,
  mount: false,
};

for (const { name, transport, engine } of transports) {
  describe(`what ${name} can do`, () => {
    it("is told beforehand by capabilities", () => {
      const server = new WebSocketServer({ transport });
      assertEquals(server.transport, name as typeof server.transport);
      assertEquals(
        server.capabilities,
        CAPABILITIES[name] ?? { ...TCP, listen: transport === "tcp" },
      );
    });

    const enabled = (extensions: WebSocketServerOptions["extensions"]) => () =>
      new WebSocketServer({ transport, extensions });
    if (engine === "tcp") {
      it("takes every extension", () => {
        assertEquals(
          enabled(["permessage-deflate", own])().extensions.map((it) => it.name),
          ["permessage-deflate", "x-own"],
        );
      });
    } else {
      it(`${engine} has ${engine === "Bun.serve" ? "only its own" : "no"} compression`, () => {
        const builtIn = enabled("permessage-deflate");
        if (engine === "Bun.serve") assertEquals(builtIn().extensions.length, 1);
        else assertUnsupported(builtIn, "permessage-deflate");
        assertUnsupported(enabled(own), "x-own");
        const server = new WebSocketServer({ transport });
        assertUnsupported(() => server.extensions = [own], "x-own");
      });

      it("listen is tcp's", () => {
        const error = assertThrows(
          () => new WebSocketServer({ transport, listen: createServer() }),
          WebSocketError,
          'transport: "tcp"',
        );
        assertEquals(error.code, "ERR_UNSUPPORTED");
      });
    }
  });
}

function assertUnsupported(act: () => unknown, what: string): void {
  const error = assertThrows(act, WebSocketError, what);
  assertEquals(error.code, "ERR_UNSUPPORTED");
  assertStringIncludes(error.message, 'transport: "tcp"');
}

for (const { name, transport, secure } of variants) {
  describe(`start over ${name}`, () => {
    const tls = secure ? { cert, key } : undefined;
    const options: WebSocketServerOptions = { transport, tls, hostname: "127.0.0.1" };

    it("gives the server, which then tells where it listens", async () => {
      await using server = new WebSocketServer(options);
      assertEquals([server.port, server.ip, server.isSsl], [0, "127.0.0.1", secure]);
      assertEquals(server.listen, undefined);
      assertEquals(await server.start(), server);
      assert(server.port > 0);
      assertEquals([server.ip, server.isSsl], ["127.0.0.1", secure]);
      assert(server.listen !== undefined);
      assertEquals(server.socket, server.listen);
      const url = `${secure ? "wss" : "ws"}://127.0.0.1:${server.port}`;
      assertEquals((await RawClient.ask(url, upgradeRequest())).status, 101);
    });

    it("rejects when the port is in use, says so, and may be tried again: ERR_LISTEN", async () => {
      const blocker = createServer().listen(0, "127.0.0.1");
      await once(blocker, "listening");
      const { port } = blocker.address() as AddressInfo;
      await using server = new WebSocketServer({ ...options, port });
      const error = await assertRejects(() => server.start(), WebSocketError, "in use");
      assertEquals(error.code, "ERR_LISTEN");
      assertStringIncludes(error.message, `127.0.0.1:${port}`);
      assertEquals(server.error, error);
      blocker.close();
      await once(blocker, "close");
      await server.start();
      assertEquals(server.port, port);
    });

    it("rejects when another server of ours has the port", async () => {
      await using first = await new WebSocketServer(options).start();
      const second = new WebSocketServer({ ...options, port: first.port });
      const error = await assertRejects(() => second.start(), WebSocketError, "in use");
      assertEquals(error.code, "ERR_LISTEN");
      await second.shutdown();
    });

    it("twice is an error: ERR_STATE", async () => {
      const server = new WebSocketServer(options);
      const started = server.start();
      for (const when of ["meanwhile", "while it runs", "when it has shut down"]) {
        const error = await assertRejects(() => server.start(), WebSocketError, "twice");
        assertEquals([error.code, server.error], ["ERR_STATE", error], when);
        if (when === "meanwhile") await started;
        else await server.shutdown();
      }
    });

    for (const hostname of ["192.0.2.1", "no-such-name.invalid"]) {
      it(`rejects for the address ${hostname}: ERR_LISTEN`, async () => {
        const server = new WebSocketServer({ ...options, hostname });
        const error = await assertRejects(() => server.start(), WebSocketError, hostname);
        assertEquals(error.code, "ERR_LISTEN");
      });
    }
  });
}

describe("start with TLS", () => {
  const foreignKey = key.replace(/\n[A-Za-z0-9+/]{20}/, "\nAAAAAAAAAAAAAAAAAAAA");
  const cases: Record<string, { cert: string; key: string }> = {
    "a certificate that is none": { cert: "no certificate", key },
    "an empty certificate": { cert: "", key },
    "a key that is none": { cert, key: "no key" },
    "a broken key": { cert, key: foreignKey },
    "certificate and key mixed up": { cert: key, key: cert },
  };
  for (const { name, transport } of transports) {
    for (const [what, tls] of Object.entries(cases)) {
      it(`${name}: ${what} rejects with a clear error: ERR_LISTEN`, async () => {
        const server = new WebSocketServer({ transport, tls, hostname: "127.0.0.1" });
        const error = await assertRejects(() => server.start(), WebSocketError, "certificate");
        assertEquals(error.code, "ERR_LISTEN");
        assertStringIncludes(error.message, "PEM");
      });
    }
  }
});

// Bun does not let go of its global.
if (runtime === "deno") {
  describe("a runtime that is none of the three", () => {
    it("is told what is needed: ERR_UNSUPPORTED", async () => {
      const mod = fileURLToPath(new URL("../../mod.ts", import.meta.url));
      const program = `
        import { WebSocketServer } from ${JSON.stringify(mod)};
        delete globalThis.Deno;
        delete globalThis.process;
        try {
          new WebSocketServer();
        } catch ({ code, message }) {
          console.log(code, message);
        }
      `;
      const { stdout } = await run(process.execPath, ["eval", program], { timeout: 15_000 });
      assertStringIncludes(stdout, "ERR_UNSUPPORTED Cannot serve WebSockets on this runtime");
    });
  });
}
