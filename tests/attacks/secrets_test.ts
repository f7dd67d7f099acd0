import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import type { DebugLevel, Logger } from "../../mod.ts";
import { clientFrame } from "../support/client_frame.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { serve, transports } from "../support/transports.ts";

const SECRETS = ["s3cret-cookie", "s3cret-token", "s3cret-query", "s3cret-key"];
const FIELDS = {
  "Cookie": "session=s3cret-cookie",
  "Authorization": "Bearer s3cret-token",
  "Proxy-Authorization": "Basic s3cret-token",
  "X-Api-Key": "s3cret-key",
};
const target = "/chat?token=s3cret-query";

/** Requests that are served, refused for every kind of reason, and broken. */
function requests(): string[] {
  const request = (fields: Record<string, string> = {}) =>
    upgradeRequest({ ...FIELDS, ...fields }, target);
  return [
    request(),
    request({ Origin: "https://evil.example" }),
    request({ "Sec-WebSocket-Version": "12" }),
    request({ "Sec-WebSocket-Key": "s3cret-key" }),
    request({ "Sec-WebSocket-Extensions": "s3cret-key; =" }),
    request({ "Sec-WebSocket-Protocol": "s3cret-key s3cret-key" }),
    request({ Cookie: "session=s3cret-cookie\0" }),
    request({ "Authorization s3cret-token": "x" }),
    request({ Host: "s3cret-key:s3cret-key" }),
    request({ Upgrade: "" }),
    request({ "X-Fail": "handshake" }),
    request({ "X-Fail": "origin" }),
    request({ "X-Large": "s3cret-key".repeat(10_000) }),
    request().replace("HTTP/1.1", "HTTP/s3cret-key"),
    request().replace("GET", "s3cret-key"),
  ];
}

for (const variant of transports) {
  describe(`secrets over ${variant.name}`, () => {
    for (const debug of [0, 1, 2, 3, 4] as DebugLevel[]) {
      it(`cookies and authorization are kept out of logs and errors at debug ${debug}`, async () => {
        const written: string[] = [];
        const write = (...what: unknown[]) => {
          written.push(what.map((it) => inspect(it, { depth: 10 })).join(" "));
        };
        const logger: Logger = { debug: write, info: write, warn: write, error: write };
        await using served = await serve(variant, {
          debug,
          logger,
          allowedOrigins: ["https://example.com"],
          onConnect(_server, connection) {
            connection.on({
              origin(connection) {
                if (connection.handshake?.request.headers.get("x-fail") === "origin") {
                  throw new Error("origin failed");
                }
              },
              handshake(_connection, { request }) {
                if (request.headers.get("x-fail") === "handshake") throw new Error("no luck");
              },
            });
          },
        });
        const answers: string[] = [];
        for (const request of requests()) {
          using client = await RawClient.connect(served.url);
          client.write(request);
          const answer = await client.response().catch(() => undefined);
          answers.push(inspect(answer && { ...answer, headers: [...answer.headers] }));
          // A frame that breaks the protocol is told of, and logged with its rule.
          if (answer?.status === 101) client.write(clientFrame(3));
          if (answer?.status === 101) await client.end();
        }
        assertEquals(served.errors.length > 1, true);
        assertEquals(written.length > 0, debug > 0);
        const all = [...written, ...answers, ...served.errors.map((it) => inspect(it))];
        for (const secret of SECRETS) {
          const leak = all.find((it) => it.includes(secret));
          assert(leak === undefined, `${secret} is in ${leak}`);
        }
      });
    }
  });
}
