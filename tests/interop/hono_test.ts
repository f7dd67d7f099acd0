import { assert, assertEquals } from "@std/assert";
import { Hono, type MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { secureHeaders } from "hono/secure-headers";
import { describe, it } from "node:test";
import { WebSocketServer, type WebSocketServerOptions } from "../../mod.ts";
import { connect, RefusedError } from "../../client/mod.ts";
import { startApplication } from "../support/application.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { runtime } from "../support/transports.ts";

const ORIGIN = "https://site.example";

/** Header fields that an application sets for all of its routes, and one that each of them adds. */
const MIDDLEWARE: Record<string, { use: MiddlewareHandler[]; field: string; value: string }> = {
  "CORS": {
    use: [cors({ origin: ORIGIN })],
    field: "access-control-allow-origin",
    value: ORIGIN,
  },
  "secure headers": { use: [secureHeaders()], field: "x-frame-options", value: "SAMEORIGIN" },
  "a field that is set after the handler": {
    use: [async (context, next) => {
      await next();
      context.header("X-Took", "1");
    }],
    field: "x-took",
    value: "1",
  },
};
MIDDLEWARE["all of them"] = {
  ...MIDDLEWARE.CORS,
  use: Object.values(MIDDLEWARE).flatMap(({ use }) => use),
};

/** An application of Hono's with a server behind its middleware. */
function serveHono(use: MiddlewareHandler[], options: WebSocketServerOptions = {}) {
  const errors: unknown[] = [];
  const ends = new Journal<number>();
  const sockets = new WebSocketServer({
    debug: 0,
    closeTimeout: 2,
    onError: (_server, error) => void errors.push(error),
    onConnect(_server, connection) {
      connection.on({
        handshake: (_connection, { response }) => response.headers.set("Set-Cookie", "seen=1"),
        message: (connection, data) => void connection.send(data),
        disconnect: (_connection, code) => ends.add(code),
      });
    },
    ...options,
  });
  const app = new Hono<{ Bindings: { info: unknown } }>();
  for (const middleware of use) app.use("*", middleware);
  app.get("/", (context) => context.text("home"));
  app.get("/ws", (context) => sockets.upgrade(context.req.raw, context.env));
  // What middleware has set so far.
  app.get(
    "/told",
    (context) => sockets.upgrade(context.req.raw, context.env, { headers: context.res.headers }),
  );
  app.onError((error, context) => {
    errors.push(error);
    return context.text("an error", 500);
  });
  const http = startApplication((request, info) => app.fetch(request, { info }), {
    websocket: sockets.websocket,
  });
  return {
    ...http,
    errors,
    ends,
    async [Symbol.asyncDispose]() {
      await sockets.shutdown();
      await http[Symbol.asyncDispose]();
    },
  };
}

describe(`Hono under ${runtime}`, () => {
  it("has a route that opens WebSockets, beside its others", async () => {
    await using served = serveHono([]);
    const client = await connect(`${served.url}/ws`, { debug: 0 });
    for (const data of ["text", Uint8Array.of(1, 2, 3), "x".repeat(100_000)]) {
      client.send(data);
      assertEquals(await client.recv(), data);
    }
    client.disconnect(4000, "bye");
    assertEquals(await served.ends.next(), 4000);
    const home = await fetch(served.url.replace("ws:", "http:"));
    assertEquals(await home.text(), "home");
    assertEquals(served.errors, []);
  });

  for (const [name, { use, field, value }] of Object.entries(MIDDLEWARE)) {
    it(`opens WebSockets behind ${name}, several one after the other`, async () => {
      await using served = serveHono(use);
      for (let time = 0; time < 3; time++) {
        const client = await connect(`${served.url}/ws`, { debug: 0, headers: { origin: ORIGIN } });
        const { headers } = client.handshake!.response;
        assertEquals(headers.get("set-cookie"), "seen=1");
        // Bun has answered before the middleware has its turn.
        if (runtime === "deno") assertEquals(headers.get(field), value);
        client.send("hello");
        assertEquals(await client.recv(), "hello");
        client.disconnect(1000);
        assertEquals(await served.ends.next(), 1000);
      }
      const home = await fetch(served.url.replace("ws:", "http:"), { headers: { origin: ORIGIN } });
      assertEquals([await home.text(), home.headers.get(field)], ["home", value]);
      assertEquals(served.errors, []);
    });
  }

  it("sends on the 101, once, what middleware has set before and the route hands on", async () => {
    const before: MiddlewareHandler = async (context, next) => {
      context.header("Set-Cookie", "sid=ada");
      context.header("Set-Cookie", "lang=en", { append: true });
      await next();
    };
    // A cookie of a handshake handler would be lost: Hono puts those of its context in the place of all.
    const onConnect = () => {};
    await using served = serveHono([before, cors({ origin: ORIGIN })], { onConnect });
    const headers = { Origin: ORIGIN };
    const response = await RawClient.ask(served.url, upgradeRequest(headers, "/told"));
    assertEquals(response.status, 101);
    assertEquals(response.headers.getSetCookie().sort(), ["lang=en", "sid=ada"]);
    assertEquals(response.headers.get("access-control-allow-origin"), ORIGIN);
    assertEquals(served.errors, []);
  });

  it("hands on the status that refuses a request, with its middleware's fields", async () => {
    const { use, field, value } = MIDDLEWARE["all of them"];
    await using served = serveHono(use, { allowedOrigins: [ORIGIN] });
    const refused = await connect(`${served.url}/ws`, {
      debug: 0,
      headers: { origin: "https://other.example" },
    }).catch((error) => error);
    assert(refused instanceof RefusedError);
    assertEquals(refused.status, 403);
    const plain = await fetch(`${served.url.replace("ws:", "http:")}/ws`, {
      headers: { origin: ORIGIN },
    });
    assertEquals([plain.status, plain.headers.get(field)], [426, value]);
    await plain.body?.cancel();
    assertEquals(served.errors, []);
  });
});
