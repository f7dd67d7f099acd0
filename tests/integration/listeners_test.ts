import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, Server as NetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import {
  type ListenAddress,
  type TlsOptions,
  type WebSocketConnection,
  WebSocketError,
  WebSocketServer,
} from "../../mod.ts";
import { assertAnswers } from "../attacks/healthy.ts";
import { patiently } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { cert, echo, key, transports } from "../support/transports.ts";
import { assertInvalid, assertUnsupported } from "../support/unsupported.ts";

const hostname = "127.0.0.1";
const tls = { cert, key };
const pem = (name: string) => readFileSync(new URL(`../tls/${name}.pem`, import.meta.url), "utf8");
const renewed = { cert: pem("renewed-cert"), key: pem("renewed-key") };
const ca = pem("client-ca");
const ada = { cert: pem("client-cert"), key: pem("client-key") };

/** Does something with a folder for Unix sockets, which is removed afterwards. */
async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "duet-listen-"));
  try {
    await act(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The first line that a server answers to an opening handshake. */
async function answerOf(socket: ReturnType<typeof connect>): Promise<string> {
  try {
    socket.write(upgradeRequest());
    const [data] = await patiently(once(socket, "data"), "an answer");
    return String(data).split("\r\n")[0];
  } finally {
    socket.destroy();
  }
}

const SWITCHING = "HTTP/1.1 101 Switching Protocols";

/** Opens a WebSocket over TLS; gives the answer, or the code of the error in its place. */
async function overTls(port: number, options: ConnectionOptions = {}): Promise<string> {
  const socket = connectTls({ port, host: hostname, ca: [cert, renewed.cert], ...options });
  const answer = new Promise<string>((resolve) => {
    socket.on("secureConnect", () => socket.write(upgradeRequest()));
    socket.on("data", (data) => resolve(String(data).split("\r\n")[0]));
    socket.on("error", () => resolve("refused"));
    socket.on("close", () => resolve("refused"));
  });
  const seen = await patiently(answer, "an answer over TLS");
  socket.destroy();
  return seen;
}

/** Whom the certificate is for that a server shows now. */
async function shownNow(port: number): Promise<string> {
  const socket: TLSSocket = connectTls({ host: hostname, port, ca: [cert, renewed.cert] });
  await patiently(once(socket, "secureConnect"), "a TLS handshake");
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

for (const variant of transports) {
  const { transport, engine, name } = variant;
  const start = (options: object) =>
    new WebSocketServer({ transport, hostname, debug: 0, closeTimeout: 0.5, ...options }).start();
  const isDenoHttp = engine === "Deno.serve";

  describe(`listen with addresses over ${name}`, () => {
    it("several are served at once, and all are closed at the end", () =>
      inFolder(async (folder) => {
        const path = join(folder, "socket");
        const listen: ListenAddress[] = [{ port: 0 }, { path }, { port: 0, tls }];
        const server = await start({ ...echo, listen });
        const [plain, unix, secure] = server.addresses;
        assertEquals([server.ip, server.port, server.isSsl], [hostname, plain.port, false]);
        assertEquals([unix.ip, unix.port, unix.secure], [path, 0, false]);
        assertEquals([secure.ip, secure.secure], [hostname, true]);
        assertEquals((server.listen as unknown[]).length, 3);
        using one = await RawClient.open(`ws://${hostname}:${plain.port}`);
        using two = await RawClient.open(`wss://${hostname}:${secure.port}`);
        await assertAnswers(one);
        await assertAnswers(two);
        assertEquals(await answerOf(connect(path)), SWITCHING);
        assertEquals(server.statistics.opened, 3);
        await patiently(server.shutdown(), "shutdown");
        assertEquals([await one.closeCode(), await two.closeCode()], [1001, 1001]);
        for (const { port } of [plain, secure]) {
          await assertRejects(() => RawClient.connect(`ws://${hostname}:${port}`));
        }
        assertEquals(existsSync(path), false);
        assertEquals(server.addresses, []);
      }));

    it("when one cannot be started none is, the error names it, and it may be tried again", () =>
      inFolder(async (folder) => {
        const path = join(folder, "socket");
        const blocker = createServer().listen(0, hostname);
        await once(blocker, "listening");
        const { port } = blocker.address() as AddressInfo;
        const server = new WebSocketServer({
          transport,
          hostname,
          debug: 0,
          closeTimeout: 0.5,
          listen: [{ path }, { port }],
        });
        const error = await assertRejects(() => server.start(), WebSocketError, "in use");
        assertEquals(error.code, "ERR_LISTEN");
        assert(error.message.includes(`${hostname}:${port}`), error.message);
        assertEquals([existsSync(path), server.addresses], [false, []]);
        blocker.close();
        await once(blocker, "close");
        await server.start();
        assertEquals(await answerOf(connect(path)), SWITCHING);
        await server.shutdown();
      }));

    if (transport === "tcp") {
      it("when one cannot be started, who has come by another is dropped, and it may be tried again", async () => {
        const failing = Promise.withResolvers<void>();
        let fails = true;
        class LateServer extends NetServer {
          override listen(...args: unknown[]): this {
            if (!fails) return super.listen(...args as []);
            void failing.promise.then(() => this.emit("error", new Error("too late")));
            return this;
          }
        }
        const ends: number[] = [];
        const server = new WebSocketServer({
          transport,
          hostname,
          debug: 0,
          closeTimeout: 0.5,
          listen: [{ port: 0 }, new LateServer()],
          onConnect: (_server, connection) =>
            void connection.on({ disconnect: (_connection, code) => void ends.push(code) }),
        });
        const starting = server.start();
        while (server.addresses.length === 0) {
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        using client = await RawClient.open(`ws://${hostname}:${server.addresses[0].port}`);
        failing.resolve();
        await assertRejects(() => starting, WebSocketError, "too late");
        await client.end();
        assertEquals([ends, server.connections.size, server.addresses], [[1006], 0, []]);
        fails = false;
        await server.start();
        await server.shutdown();
      });

      it("a listener serves once: twice in a list, or in two servers, is ERR_LISTEN", async () => {
        const twice = createServer();
        const options = { transport, hostname, debug: 0, closeTimeout: 0.5 } as const;
        const server = new WebSocketServer({ ...options, listen: [twice, twice] });
        const error = await assertRejects(() => server.start(), WebSocketError, "give it once");
        assertEquals([error.code, twice.listening], ["ERR_LISTEN", false]);
        const listener = createServer();
        const one = new WebSocketServer({ ...options, listen: listener });
        const other = new WebSocketServer({ ...options, listen: listener });
        const starts = await Promise.allSettled([one.start(), other.start()]);
        assertEquals(starts.map((it) => it.status), ["fulfilled", "rejected"]);
        assert(listener.listening);
        await one.shutdown();
        await other.start();
        await other.shutdown();
      });
    }

    it("a Unix socket: its clients have no ip, and limits for addresses leave them alone", () =>
      inFolder(async (folder) => {
        const path = join(folder, "socket");
        const ips: string[] = [];
        await using server = await start({
          listen: { path },
          maxConnectionsPerAddress: 1,
          trustProxy: ["127.0.0.1"],
          onConnect: (_server: unknown, { ip }: WebSocketConnection) => void ips.push(ip),
        });
        assertEquals([server.ip, server.port], [path, 0]);
        assertEquals(await answerOf(connect(path)), SWITCHING);
        assertEquals(await answerOf(connect(path)), SWITCHING);
        assertEquals(ips, ["", ""]);
      }));

    it("a Unix socket that is there already, and one without a folder, say what to do", () =>
      inFolder(async (folder) => {
        const path = join(folder, "socket");
        const blocker = createServer().listen(path);
        await once(blocker, "listening");
        await assertRejects(() => start({ listen: { path } }), WebSocketError, "remove it");
        blocker.close();
        await once(blocker, "close");
        const nowhere = join(folder, "none", "socket");
        const error = await assertRejects(
          () => start({ listen: { path: nowhere } }),
          WebSocketError,
        );
        assertEquals(error.code, "ERR_LISTEN");
        assert(error.message.includes(nowhere));
      }));

    if (isDenoHttp) {
      it("tls on a Unix socket, and reusePort, are refused by name, with what to do", () => {
        const path = "/run/chat.sock";
        const one = assertUnsupported(() => new WebSocketServer({ listen: { path, tls } }));
        assertMatch(one.message, /"tls" with "path" on deno_http.*Use transport: "tcp"/);
        const listen = { port: 0, reusePort: true };
        const two = assertUnsupported(() => new WebSocketServer({ listen }));
        assertMatch(two.message, /"reusePort" on deno_http.*Use transport: "tcp"/);
      });
    } else {
      it("tls on a Unix socket", () =>
        inFolder(async (folder) => {
          const path = join(folder, "socket");
          await using _server = await start({ listen: { path, tls } });
          assertEquals(await answerOf(connectTls({ path, ca: cert, host: hostname })), SWITCHING);
        }));

      it("reusePort: two servers listen on one port, without it the second does not", async () => {
        await using one = await start({ listen: { port: 0, reusePort: true } });
        const { port } = one;
        await using two = await start({ listen: { port, reusePort: true } });
        assertEquals(two.port, port);
        await assertRejects(() => start({ listen: { port } }), WebSocketError, "in use");
        await one.shutdown();
        using client = await RawClient.open(`ws://${hostname}:${port}`);
        assertEquals(two.connections.size, 1);
        client.socket.destroy();
      });
    }

    it("what is no address is refused by name", () => {
      const make = (options: object) => () => new WebSocketServer({ transport, ...options });
      assertInvalid(make({ listen: {} }), /port or path/);
      assertInvalid(make({ listen: [] }), /at least one address/);
      assertInvalid(make({ listen: { port: 0, path: "/a" } }), /port or path/);
      assertInvalid(make({ listen: { path: "/a", hostname: "::1" } }), /no hostname/);
      assertInvalid(make({ listen: { path: "/a", reusePort: true } }), /no reusePort/);
      assertInvalid(make({ listen: { prot: 80 } }), /"prot" in listen/);
      assertInvalid(make({ listen: [{ port: 70_000 }] }), /listen\.port 70000/);
      assertInvalid(make({ listen: { port: 0, tls: { cert } } }), /cert, key/);
      assertInvalid(make({ listen: { port: 0 }, port: 80 }), /nothing beside listen/);
      assertInvalid(make({ listen: { port: 0 }, tls }), /nothing beside listen/);
    });

    it("another server of this program that has the port is named as the cause", async () => {
      await using first = await start({});
      const second = start({ port: first.port });
      const error = await assertRejects(() => second, WebSocketError, "another server of this");
      assertEquals(error.code, "ERR_LISTEN");
      assertMatch(error.message, /shut its server down first/);
    });
  });

  describe(`tls over ${name}`, () => {
    if (isDenoHttp) {
      for (
        const more of [{ requestCert: true, ca }, { minVersion: "TLSv1.3" }, {
          passphrase: "secret",
        }] satisfies Partial<TlsOptions>[]
      ) {
        const [option] = Object.keys(more);
        it(`${option} is refused by name, with what to do`, () => {
          const error = assertUnsupported(() => new WebSocketServer({ tls: { ...tls, ...more } }));
          assertMatch(error.message, new RegExp(`"${option}" in tls on deno_http.*"tcp"`));
        });
      }

      it("renewCertificate() is refused, with what to do", async () => {
        await using server = await start({ tls });
        const error = await assertRejects(() => server.renewCertificate(renewed), WebSocketError);
        assertEquals(error.code, "ERR_UNSUPPORTED");
        assertMatch(error.message, /Use transport: "tcp"/);
      });
    } else {
      it("requestCert: a client with a certificate of ca gets in, others do not", async () => {
        await using server = await start({ tls: { ...tls, ca, requestCert: true } });
        assertEquals(await overTls(server.port, ada), SWITCHING);
        assertEquals(await overTls(server.port), "refused");
        assertEquals(await overTls(server.port, { cert, key }), "refused");
        assertEquals(server.statistics.opened, 1);
      });

      it("requestCert with rejectUnauthorized: false lets others in too", async () => {
        const asking = { ...tls, ca, requestCert: true, rejectUnauthorized: false };
        await using server = await start({ tls: asking });
        assertEquals(await overTls(server.port, ada), SWITCHING);
        assertEquals(await overTls(server.port), SWITCHING);
      });

      it("minVersion: a client that speaks an older one does not get in", async () => {
        await using server = await start({ tls: { ...tls, minVersion: "TLSv1.3" } });
        assertEquals(await overTls(server.port), SWITCHING);
        assertEquals(await overTls(server.port, { maxVersion: "TLSv1.2" }), "refused");
      });

      it("passphrase: an encrypted key is read with it, and not with another", async () => {
        const encrypted = { cert, key: pem("encrypted-key") };
        await using server = await start({ tls: { ...encrypted, passphrase: "secret" } });
        assertEquals(await overTls(server.port), SWITCHING);
        for (const passphrase of ["wrong", undefined]) {
          const failed = start({ tls: { ...encrypted, passphrase } });
          const error = await assertRejects(() => failed, WebSocketError, "passphrase");
          assertEquals(error.code, "ERR_LISTEN");
        }
      });

      if (engine === "tcp") testAlpn(start);
      else {
        it("ALPNProtocols is refused by name, with what to do", () => {
          const agreed = { ...tls, ALPNProtocols: ["http/1.1"] };
          const error = assertUnsupported(() => new WebSocketServer({ tls: agreed }));
          assertMatch(error.message, /"ALPNProtocols" in tls on bun_http.*"tcp"/);
        });
      }

      for (const more of [{}, { minVersion: "TLSv1.3" }] satisfies Partial<TlsOptions>[]) {
        const which = Object.keys(more).join() || "a certificate only";
        it(`renewCertificate() with ${which}: others see the new one, and no connection ends`, async () => {
          await using server = await start({ ...echo, tls: { ...tls, ...more } });
          const { port } = server;
          using before = await RawClient.open(`wss://${hostname}:${port}`);
          assertEquals(await shownNow(port), "Duet test certificate");
          await server.renewCertificate(renewed);
          assertEquals([server.port, await shownNow(port)], [
            port,
            "Duet test certificate, renewed",
          ]);
          await assertAnswers(before);
          using after = await RawClient.open(`wss://${hostname}:${port}`, {}, renewed.cert);
          await assertAnswers(after);
          assertEquals(server.connections.size, 2);
          await server.renewCertificate(tls);
          assertEquals(await shownNow(port), "Duet test certificate");
          if ("minVersion" in more) {
            assertEquals(await overTls(port, { maxVersion: "TLSv1.2" }), "refused");
          }
        });
      }

      it("renewCertificate() that cannot be read changes nothing", async () => {
        await using server = await start({ tls });
        for (const wrong of [{ cert, key: renewed.key }, { cert: "none", key }]) {
          const failed = server.renewCertificate(wrong);
          const error = await assertRejects(() => failed, WebSocketError, "certificate");
          assertEquals(error.code, "ERR_LISTEN");
        }
        assertEquals(await shownNow(server.port), "Duet test certificate");
      });

      it("renewCertificate() without TLS: ERR_STATE", async () => {
        await using server = await start({});
        const error = await assertRejects(() => server.renewCertificate(renewed), WebSocketError);
        assertEquals(error.code, "ERR_STATE");
      });
    }

    it("a wrong value is refused by name, and no secret is shown", () => {
      const make = (more: object) => () =>
        new WebSocketServer({ transport, tls: { ...tls, ...more } });
      assertInvalid(make({ ca: 5 }), /ca 5/);
      assertInvalid(make({ requestCert: "yes", ca }), /requestCert "yes"/);
      assertInvalid(make({ requestCert: true }), /ca beside it/);
      assertInvalid(make({ minVersion: "TLSv1.1" }), /"TLSv1.2" or "TLSv1.3"/);
      assertInvalid(make({ ALPNProtocols: "h2" }), /an array of protocols/);
      assertInvalid(make({ passphrase: 5 }), /Cannot use this passphrase: it takes a text/);
    });
  });
}

function testAlpn(start: (options: object) => Promise<WebSocketServer>): void {
  it("ALPNProtocols: a protocol in common is agreed on (RFC 7301)", async () => {
    await using server = await start({ tls: { ...tls, ALPNProtocols: ["http/1.1"] } });
    const socket = connectTls({
      port: server.port,
      host: hostname,
      ca: cert,
      ALPNProtocols: ["h2", "http/1.1"],
    });
    await patiently(once(socket, "secureConnect"), "a TLS handshake");
    assertEquals(socket.alpnProtocol, "http/1.1");
    socket.destroy();
    assertEquals(await overTls(server.port, { ALPNProtocols: ["h2"] }), "refused");
  });

  it("connection.socket tells whose certificate it is", async () => {
    const names: unknown[] = [];
    const seen = Promise.withResolvers<void>();
    await using server = await start({
      tls: { ...tls, ca, requestCert: true },
      onConnect(_server: unknown, { socket }: WebSocketConnection) {
        names.push((socket as TLSSocket).getPeerCertificate().subject.CN);
        seen.resolve();
      },
    });
    assertEquals(await overTls(server.port, ada), SWITCHING);
    await seen.promise;
    assertEquals(names, ["Duet test client"]);
  });
}
