import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { once } from "node:events";
import { describe, it } from "node:test";
import { type RequestInfo, WebSocketError, WebSocketServer } from "../../mod.ts";
import { clientFrame } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import {
  cert,
  echo,
  handling,
  key,
  runtime,
  serve,
  transports,
  variants,
} from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

/** A plain HTTP/1.1 request. */
function plain(method: string, target = "/", fields: string[] = [], body = ""): string {
  return [`${method} ${target} HTTP/1.1`, "Host: app.example", ...fields, "", body].join("\r\n");
}

for (const variant of variants) {
  describe(`onRequest over ${variant.name}`, () => {
    it("answers a GET on the same port (RFC 9110 §9.3.1)", async () => {
      const infos = new Journal<RequestInfo>();
      await using served = await serve(variant, {
        ...echo,
        onRequest(request, info) {
          infos.add(info);
          return new Response(`${request.method} ${request.url} ${request.headers.get("x-one")}`, {
            status: 203,
            headers: [["X-Two", "2"], ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]],
          });
        },
      });
      const client = await RawClient.connect(served.url);
      client.write(plain("GET", "/a%20b?c=d", ["X-One: 1", "Connection: close"]));
      const { status, headers, body } = await client.response();
      const scheme = variant.secure ? "https" : "http";
      assertEquals([status, body], [203, `GET ${scheme}://app.example/a%20b?c=d 1`]);
      assertEquals([headers.get("x-two"), headers.getSetCookie()], ["2", ["a=1", "b=2"]]);
      const { remote } = await infos.next();
      assertEquals([remote.ip, remote.port], ["127.0.0.1", client.socket.localPort]);
      await client.end();
      const { socket, messages, end } = await openWs(served.url);
      socket.send("beside it");
      assertEquals(await messages.next(), "beside it");
      socket.close();
      await end();
    });
  });
}

/** What `onRequest` may give, and the type that its client is told, if that is always the same. */
const TYPED: Record<string, [give: () => Response, type: RegExp]> = {
  "a text": [() => new Response("héllo"), /^text\/plain; ?charset=utf-8$/i],
  "a long text": [() => new Response("é".repeat(500_000)), /^text\/plain; ?charset=utf-8$/i],
  "a text with a type": [
    () => new Response("<p>", { headers: { "Content-Type": "text/html" } }),
    /^text\/html$/,
  ],
  "JSON": [() => Response.json({ a: 1 }), /^application\/json/],
  "bytes that are no text": [() => new Response(Uint8Array.of(0xff, 0xfe)), /^(?!text)/],
  "nothing": [() => new Response(null), /^none$/],
};

for (const variant of transports) {
  describe(`the Content-Type of responses over ${variant.name} (RFC 9110 §8.3)`, () => {
    for (const [what, [give, type]] of Object.entries(TYPED)) {
      it(`is right for ${what}`, async () => {
        await using served = await serve(variant, { onRequest: give });
        const response = await fetch(served.url.replace("ws", "http"));
        await response.arrayBuffer();
        assertMatch(response.headers.get("content-type") ?? "none", type);
      });
    }

    it("is right for a text that refuses a handshake", async () => {
      await using served = await serve(
        variant,
        handling({ handshake: () => new Response("who?", { status: 401 }) }),
      );
      const { status, headers } = await RawClient.ask(served.url, upgradeRequest());
      assertEquals(status, 401);
      assertMatch(headers.get("content-type") ?? "none", TYPED["a text"][1]);
    });
  });
}

/** What `onRequest` may give that cannot be sent. */
const UNSENDABLE: Record<string, () => unknown> = {
  "a Response that has been read": async () => {
    const response = new Response("read");
    await response.text();
    return response;
  },
  "Response.error()": () => Response.error(),
  "a Response of status 101": () => new Response(null, { status: 101 }),
  "an object that only looks like a Response": () => Object.create(Response.prototype),
  "a text": () => "text",
  "nothing": () => undefined,
};

for (const variant of variants) {
  describe(`onRequest that gives what cannot be sent, over ${variant.name}`, () => {
    const codesOf = (errors: Error[]) => errors.map((it) => (it as WebSocketError).code);

    for (const [name, give] of Object.entries(UNSENDABLE)) {
      it(`${name}: 500, it is told once, and the next request is served`, async () => {
        let asked = 0;
        await using served = await serve(variant, {
          onRequest: () => (asked++ === 0 ? give() : new Response("served")) as Response,
        });
        const ask = () => RawClient.ask(served.url, plain("GET", "/", ["Connection: close"]));
        assertEquals((await ask()).status, 500);
        assertEquals((await ask()).body, "served");
        assertEquals(codesOf(served.errors), ["ERR_HANDLER"]);
      });
    }

    it("the same Response twice: 500 the second time, and it is told once", async () => {
      const response = new Response("shared");
      await using served = await serve(variant, { onRequest: () => response });
      const ask = () => RawClient.ask(served.url, plain("GET", "/", ["Connection: close"]));
      assertEquals((await ask()).body, "shared");
      assertEquals((await ask()).status, 500);
      assertEquals(codesOf(served.errors), ["ERR_HANDLER"]);
    });
  });
}

for (const variant of transports) {
  describe(`plain HTTP over ${variant.name}`, () => {
    it("a HEAD has the head of the response and no body (RFC 9110 §9.3.2)", async () => {
      await using served = await serve(variant, {
        onRequest: ({ method }) => new Response("12345", { headers: { "X-Method": method } }),
      });
      using client = await RawClient.connect(served.url);
      client.write(plain("HEAD", "/", ["Connection: close"]));
      const { status, headers } = await client.response(true);
      assertEquals([status, headers.get("x-method")], [200, "HEAD"]);
      assertEquals(headers.get("content-length"), "5");
      await client.end();
      assertEquals(client.received.length, 0);
    });

    it("bodies of bytes, streams and none go out as they are", async () => {
      const responses: Record<string, () => Response> = {
        "/bytes": () => new Response(new Uint8Array([0xe2, 0x82, 0xac])),
        "/stream": () => new Response(new Blob(["€".repeat(50_000)]).stream()),
        "/none": () => new Response(null),
      };
      await using served = await serve(variant, {
        onRequest: ({ url }) => responses[new URL(url).pathname](),
      });
      const http = served.url.replace("ws", "http");
      assertEquals(await (await fetch(`${http}/bytes`)).text(), "€");
      assertEquals(await (await fetch(`${http}/stream`)).text(), "€".repeat(50_000));
      assertEquals(await (await fetch(`${http}/none`)).text(), "");
    });

    const posted = variant.transport === "tcp"
      ? "other methods are answered 405 with those that are served (RFC 9110 §15.5.6)"
      : "other methods reach it too, with their bodies";
    it(posted, async () => {
      await using served = await serve(variant, {
        onRequest: async (request) => new Response(`${request.method} ${await request.text()}`),
      });
      for (const method of ["POST", "PUT", "DELETE"]) {
        const request = plain(method, "/", ["Content-Length: 4"], "body");
        const { status, headers, body } = await RawClient.ask(served.url, request);
        if (variant.transport === "tcp") {
          assertEquals([status, headers.get("allow")], [405, "GET, HEAD"]);
        } else assertEquals([status, body], [200, `${method} body`]);
      }
      assertEquals(served.errors, []);
    });

    it("a GET with a body is answered all the same", async () => {
      await using served = await serve(variant, { onRequest: () => new Response("read") });
      const request = plain("GET", "/", ["Content-Length: 100000"], "x".repeat(100_000));
      assertEquals((await RawClient.ask(served.url, request)).body, "read");
    });

    it("without onRequest it is 426 (RFC 9110 §15.5.22)", async () => {
      await using served = await serve(variant, echo);
      const { status, headers } = await RawClient.ask(served.url, plain("GET"));
      assertEquals([status, headers.get("upgrade")], [426, "websocket"]);
      assertMatch(headers.get("connection") ?? "", /upgrade/i);
    });

    it("onRequest is not asked about a request to upgrade, right or wrong", async () => {
      let asked = 0;
      await using served = await serve(variant, {
        ...echo,
        onRequest() {
          asked++;
          return new Response();
        },
      });
      const bad = upgradeRequest({ "Sec-WebSocket-Key": "" });
      assertEquals((await RawClient.ask(served.url, bad)).status, 400);
      assertEquals((await RawClient.ask(served.url, upgradeRequest())).status, 101);
      assertEquals(asked, 0);
    });

    const failures = {
      "that throws": () => {
        throw new Error("a secret");
      },
      "that rejects": () => Promise.reject(new Error("a secret")),
      "that gives no Response": () => undefined as unknown as Response,
    };
    for (const [way, onRequest] of Object.entries(failures)) {
      it(`a handler ${way} is answered 500 and reported, and the server goes on`, async () => {
        await using served = await serve(variant, { ...echo, onRequest });
        const { status, body } = await RawClient.ask(served.url, plain("GET"));
        assertEquals([status, body], [500, "Internal Server Error\n"]);
        assertEquals(served.errors.map((it) => (it as WebSocketError).code), ["ERR_HANDLER"]);
        using client = await RawClient.open(served.url);
        client.write(clientFrame(1, "still here"));
        assertEquals((await client.frame())?.payload.toString(), "still here");
      });
    }
  });
}

/** The part of both runtimes' own HTTP servers that an application mounts a server in. */
interface Application {
  readonly url: string;
  stop(): Promise<void>;
}

/** An application with an HTTP server of its own, that has WebSockets under /ws. */
function startApplication(server: WebSocketServer, secure: boolean): Application {
  const tls = secure ? { cert, key } : undefined;
  const route = (request: Request, info: unknown) =>
    new URL(request.url).pathname === "/ws"
      ? server.upgrade(request, info)
      : new Response("the application's own");
  const globals = globalThis as unknown as {
    Bun: { serve(options: object): { port: number; stop(now: boolean): Promise<void> } };
    Deno: {
      serve(options: object, handler: unknown): {
        addr: { port: number };
        shutdown(): Promise<void>;
      };
    };
  };
  const scheme = secure ? "wss" : "ws";
  if (runtime === "bun") {
    const { websocket } = server;
    const http = globals.Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls,
      fetch: route,
      websocket,
    });
    return { url: `${scheme}://127.0.0.1:${http.port}`, stop: () => http.stop(true) };
  }
  const options = { hostname: "127.0.0.1", port: 0, ...tls, onListen() {} };
  const http = globals.Deno.serve(options, route);
  return { url: `${scheme}://127.0.0.1:${http.addr.port}`, stop: () => http.shutdown() };
}

for (
  const variant of variants.filter(({ transport }) => transport === "http" && runtime !== "node")
) {
  describe(`a server mounted in an application's own (${variant.name})`, () => {
    it("serves WebSockets on its path, and the application the others", async () => {
      const ends = new Journal<number>();
      const server = new WebSocketServer({
        subprotocol: ["chat"],
        onConnect(_server, connection) {
          connection.on({
            message: (connection, data) => void connection.send(data),
            disconnect: (_connection, code) => ends.add(code),
          });
        },
      });
      const application = startApplication(server, variant.secure);
      const { socket, messages, end } = await openWs(`${application.url}/ws?room=1`, {
        protocols: ["chat"],
      });
      assertEquals(socket.protocol, "chat");
      socket.send("mounted");
      assertEquals(await messages.next(), "mounted");
      const [connection] = server.connections;
      assertEquals(connection.handshake?.request.uri.href, `${application.url}/ws?room=1`);
      assertEquals([connection.ip, connection.handshake?.request.isSecure], [
        "127.0.0.1",
        variant.secure,
      ]);
      assertEquals(server.broadcast("to all"), 1);
      assertEquals(await messages.next(), "to all");
      const plainly = await RawClient.ask(application.url, plain("GET", "/other"));
      assertEquals(plainly.body, "the application's own");
      socket.close(1000);
      assertEquals((await end()).code, 1000);
      assertEquals(await ends.next(), 1000);
      await server.shutdown();
      await application.stop();
    });

    it("refuses what is no right handshake, and says why", async () => {
      const server = new WebSocketServer(echo);
      const application = startApplication(server, variant.secure);
      const ask = (fields: Record<string, string>) =>
        RawClient.ask(application.url, upgradeRequest(fields, "/ws"));
      assertEquals((await ask({ Upgrade: "", Connection: "" })).status, 426);
      assertEquals((await ask({ "Sec-WebSocket-Key": "bad" })).status, 400);
      assertEquals((await ask({ "Sec-WebSocket-Version": "9" })).status, 426);
      await server.shutdown();
      assertEquals((await ask({})).status, 503, "after its shutdown");
      await application.stop();
    });

    it("sends 1001 when it shuts down, and leaves the application running", async () => {
      const server = new WebSocketServer(echo);
      const application = startApplication(server, variant.secure);
      const { socket, end } = await openWs(`${application.url}/ws`);
      await Promise.all([server.shutdown(), once(socket, "close")]);
      assertEquals((await end()).code, 1001);
      const plainly = await RawClient.ask(application.url, plain("GET", "/other"));
      assertEquals(plainly.body, "the application's own");
      await application.stop();
    });
  });
}

describe("mounting over tcp", () => {
  it("is refused with the transport that can: ERR_UNSUPPORTED", async () => {
    const server = new WebSocketServer({ transport: "tcp" });
    const upgrade = () => server.upgrade(new Request("http://127.0.0.1/"), {});
    for (
      const error of [
        await assertRejects(upgrade, WebSocketError, 'transport: "http"'),
        assertThrows(() => server.websocket, WebSocketError, 'transport: "http"'),
      ]
    ) assertEquals(error.code, "ERR_UNSUPPORTED");
    assertEquals(server.capabilities.mount, false);
  });
});
