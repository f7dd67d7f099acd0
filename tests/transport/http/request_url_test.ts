import { assertEquals } from "@std/assert";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { WebSocketServer, type WebSocketServerOptions } from "../../../mod.ts";
import { type Application, startApplication } from "../../support/application.ts";
import { Journal } from "../../support/journal.ts";
import { patiently } from "../../support/patience.ts";
import { RawClient, upgradeRequest } from "../../support/raw_client.ts";
import { runtime, serve, type Variant, variants } from "../../support/transports.ts";

/** What a server is told of a handshake. */
type Told = [uri: string, isSecure: boolean, ip: string, port: number];

/** A server that writes down what it is told of each handshake. */
function telling(told: Journal<Told>): WebSocketServerOptions {
  return {
    onConnect(_server, connection) {
      connection.on({
        handshake({ ip, port }, { request }) {
          told.add([request.uri.href, request.isSecure, ip ?? "", port ?? NaN]);
        },
      });
    },
  };
}

/** A request, and what is told of it; where the engines have their own way, by runtime. */
interface Row {
  rule: string;
  target?: string;
  host?: string;
  /** The URI without its scheme, or the status of a refusal. */
  right: string | number;
  deno?: string | number;
  bun?: string | number;
}

const ROWS: Row[] = [
  {
    rule: "an origin form (RFC 9112 §3.2.1)",
    target: "/a%20b?c=d",
    right: "a.example:81/a%20b?c=d",
    host: "a.example:81",
  },
  { rule: "a path that begins with two slashes", target: "//b/c", right: "a.example//b/c" },
  { rule: "a query with a URL in it", target: "/?u=http://b/c", right: "a.example/?u=http://b/c" },
  {
    rule: "an absolute form, whose host comes before Host (§3.2.2)",
    target: "http://b.example/c?d",
    right: "b.example/c?d",
    // Bun.serve does not tell the host of the target.
    bun: "a.example/c?d",
  },
  {
    rule: "an absolute form in capitals (RFC 3986 §3.1)",
    target: "HTTP://a.example/c",
    right: "a.example/c",
  },
  {
    rule: "an absolute form with the scheme of a WebSocket (RFC 6455 §3)",
    target: "ws://b.example/c?d",
    right: "b.example/c?d",
    bun: 400,
  },
  {
    rule: "an absolute form with another scheme (§3.2.2)",
    target: "foo://a.example/c",
    right: 400,
  },
  { rule: "a fragment (§3.2)", target: "/a#b", right: 400 },
  {
    rule: "a backslash in the path, which is no slash (RFC 3986 §3.3)",
    target: "/\\b.example/c",
    right: 400,
    // Bun.serve has made a slash of it.
    bun: "a.example//b.example/c",
  },
  { rule: "a backslash in the query", target: "/?a=\\b", right: "a.example/?a=\\b" },
  {
    rule: "an absolute form with a user (RFC 9110 §4.2.4)",
    target: "http://user@b.example/",
    right: 400,
    // Bun.serve does not tell it.
    bun: "a.example/",
  },
  {
    rule: "an absolute form that is like a Unix socket's",
    target: "http+unix://a.example/c",
    right: 400,
  },
  { rule: "an asterisk (§3.2.4)", target: "*", right: 400 },
  { rule: "no Host (§3.2)", host: "", right: 400 },
  { rule: "an absolute form without Host (§3.2)", target: "http://a/b", host: "", right: 400 },
  { rule: "an empty Host (§3.2)", host: " ", right: 400 },
  { rule: "a Host with a path", host: "a/b", right: 400 },
  { rule: "a Host with a query", host: "a?b", right: 400 },
  { rule: "a Host with a fragment", host: "a#b", right: 400 },
  { rule: "a Host with a user (RFC 9110 §4.2.4)", host: "u@a", right: 400 },
  { rule: "a Host with a blank", host: "a b", right: 400 },
  { rule: "two hosts in one Host (§3.2)", host: "a.example, b.example", right: 400 },
  { rule: "a Host of other letters", host: "\u00e9.example", right: 400 },
  { rule: "a Host with a port that is none", host: "a:99999", right: 400 },
];

function requestOf({ target = "/", host = "a.example" }: Row): string {
  return upgradeRequest({ Host: host }, target);
}

/** Two ways to the same transport: the server's own HTTP server, and an application's. */
const ways: Record<string, (variant: Variant, told: Journal<Told>) => Promise<Application>> = {
  "its own HTTP server": async (variant, told) => await serve(variant, telling(told)),
  "an application's": (variant, told) => {
    const server = new WebSocketServer({ debug: 0, ...telling(told) });
    const application = startApplication(server.upgrade.bind(server), {
      secure: variant.secure,
      websocket: server.websocket,
    });
    return Promise.resolve({
      ...application,
      async [Symbol.asyncDispose]() {
        await server.shutdown();
        await application[Symbol.asyncDispose]();
      },
    });
  },
};

for (const variant of variants) {
  describe(`plain HTTP over ${variant.name}: onRequest is given no URL that is made up`, () => {
    for (const { rule, target = "/", host = "a.example", right } of ROWS) {
      if (right !== 400 || target.includes("\\") || target.includes("@")) continue;
      it(`${rule}: 400`, async () => {
        const asked: string[] = [];
        await using served = await serve(variant, {
          onRequest({ url }) {
            asked.push(url);
            return new Response("served");
          },
        });
        const field = host === "" ? "" : `Host: ${host}\r\n`;
        const { status } = await RawClient.ask(
          served.url,
          `GET ${target} HTTP/1.1\r\n${field}Connection: close\r\n\r\n`,
        );
        assertEquals([status, asked], [400, []]);
      });
    }
  });
}

for (const variant of variants.filter(({ transport }) => transport === "http")) {
  for (const [way, start] of Object.entries(ways)) {
    describe(`what is asked for over ${variant.name}, ${way}`, () => {
      for (const row of ROWS) {
        const right = row[runtime as "deno" | "bun"] ?? row.right;
        it(`${row.rule}: ${right}`, async () => {
          const told = new Journal<Told>();
          await using served = await start(variant, told);
          const { status } = await RawClient.ask(served.url, requestOf(row));
          if (typeof right === "number") {
            assertEquals([status, told.entries], [right, []]);
          } else {
            assertEquals(status, 101);
            const [uri, isSecure] = await told.next();
            const absolute = row.target?.match(/^\w+:/) && runtime === "deno";
            const scheme = variant.secure && !absolute ? "wss" : "ws";
            assertEquals(uri, `${scheme}://${right}`);
            // Deno.serve shows the target's own scheme, and an application's is not known otherwise.
            if (!absolute || way === "its own HTTP server") assertEquals(isSecure, variant.secure);
          }
          assertEquals(served.errors, []);
        });
      }
    });
  }
}

for (const variant of variants.filter(({ name }) => name.endsWith("_http"))) {
  describe(`a target that says https on a plain socket over ${variant.name}`, () => {
    it("does not make the connection a secure one", async () => {
      const told = new Journal<Told>();
      await using served = await serve(variant, telling(told));
      const request = upgradeRequest({ Host: "a.example" }, "https://a.example/x");
      assertEquals((await RawClient.ask(served.url, request)).status, 101);
      assertEquals((await told.next())[1], false);
    });
  });

  describe(`an application's Unix socket over ${variant.name}`, () => {
    /** Asks over the Unix socket; gives the first line of the answer. */
    async function askUnix(path: string, request: string): Promise<string> {
      const socket = connect(path);
      await once(socket, "connect");
      socket.write(request);
      const [data] = await patiently(once(socket, "data"), "an answer over a Unix socket");
      socket.destroy();
      return data.toString("latin1").split("\r\n")[0];
    }

    const limits: Record<string, WebSocketServerOptions> = {
      "by default": {},
      "with trustProxy": { trustProxy: ["127.0.0.1"] },
      "with maxConnectionsPerAddress": { maxConnectionsPerAddress: 1 },
    };
    let count = 0;
    for (const [how, options] of Object.entries(limits)) {
      it(`${how}: the target is as asked, and there is no IP address or port`, async () => {
        const told = new Journal<Told>();
        const path = join(tmpdir(), `duet-${process.pid}-${count++}.sock`);
        const server = new WebSocketServer({ debug: 0, ...options, ...telling(told) });
        const { websocket } = server;
        await using application = startApplication(server.upgrade.bind(server), {
          path,
          websocket,
        });
        const ask = (host: string) => askUnix(path, upgradeRequest({ Host: host }, "/ws?room=1"));
        for (let i = 0; i < 2; i++) {
          assertEquals(await ask("a.example"), "HTTP/1.1 101 Switching Protocols");
        }
        const right: Told = ["ws://a.example/ws?room=1", false, "", 0];
        assertEquals(await told.first(2), [right, right]);
        for (const host of [" ", encodeURIComponent(path)]) {
          assertEquals(await ask(host), "HTTP/1.1 400 Bad Request");
        }
        assertEquals(application.errors, []);
        await server.shutdown();
        rmSync(path, { force: true });
      });
    }
  });
}
