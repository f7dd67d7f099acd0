import { describe, it } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import {
  acceptKey,
  HttpError,
  isUpgradeRequest,
  readOpeningHandshake,
  type RequestFields,
  versionNotServed,
} from "../../../src/protocol/mod.ts";

const RIGHT: Record<string, string> = {
  "host": "server.example.com",
  "upgrade": "websocket",
  "connection": "Upgrade",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  "sec-websocket-version": "13",
};

/** A right request but for what is given; undefined leaves a field out. */
function request(
  fields: Record<string, string | undefined> = {},
  line: Partial<RequestFields> = {},
): RequestFields {
  const all = new Map(Object.entries({ ...RIGHT, ...fields }));
  return { method: "GET", minorVersion: 1, get: (name) => all.get(name) ?? null, ...line };
}

describe("opening handshake (RFC 6455 §4.2.1)", () => {
  it("reads the request of §1.2", () => {
    const handshake = readOpeningHandshake(request({
      "origin": "http://example.com",
      "sec-websocket-protocol": "chat, superchat",
    }));
    assertEquals(handshake, {
      key: "dGhlIHNhbXBsZSBub25jZQ==",
      version: 13,
      origin: "http://example.com",
      subprotocols: ["chat", "superchat"],
      extensions: [],
    });
  });

  it("reads one with nothing that is optional", () => {
    const { origin, subprotocols, extensions } = readOpeningHandshake(request());
    assertEquals([origin, subprotocols, extensions], [null, [], []]);
  });

  it("reads the extensions offered (§9.1)", () => {
    const { extensions } = readOpeningHandshake(request({
      "sec-websocket-extensions": "permessage-deflate; client_max_window_bits, x-a",
    }));
    assertEquals(extensions, [
      { name: "permessage-deflate", parameters: [["client_max_window_bits", undefined]] },
      { name: "x-a", parameters: [] },
    ]);
  });

  const taken: [rule: string, fields: Record<string, string>][] = [
    ["3. Upgrade in any case", { "upgrade": "WebSocket" }],
    ["3. Upgrade among others", { "upgrade": "h2c, websocket" }],
    ["4. Connection in any case, among others", { "connection": "keep-alive, UPGRADE" }],
    ["5. a key with + and /", { "sec-websocket-key": "+/+/+/+/+/+/+/+/+/+/+w==" }],
    ["2. a Host with a port", { "host": "a.example:8080" }],
    ["2. a Host that is an address", { "host": "[::1]:80" }],
    ["7. an opaque origin", { "origin": "null" }],
    ["7. an origin with a comma", { "origin": "app://a,b" }],
    ["a body of no bytes", { "content-length": "0" }],
  ];
  for (const [rule, fields] of taken) {
    it(`takes ${rule}`, () => {
      assertEquals(readOpeningHandshake(request(fields)).version, 13);
    });
  }

  const refused: [
    rule: string,
    status: number,
    fields: Record<string, string | undefined>,
    line?: Partial<RequestFields>,
  ][] = [
    ["1. another method", 405, {}, { method: "POST" }],
    ["1. a method in lower case", 405, {}, { method: "get" }],
    ["1. HTTP/1.0", 400, {}, { minorVersion: 0 }],
    ["2. an empty Host", 400, { "host": "" }],
    ["2. two Hosts", 400, { "host": "a.example, b.example" }],
    ["2. the same Host twice", 400, { "host": "a.example, a.example" }],
    ["2. a Host with a user", 400, { "host": "a@b.example" }],
    ["7. two Origins", 400, { "origin": "http://a.example, http://b.example" }],
    ["7. the same Origin twice", 400, { "origin": "http://a.example, http://a.example" }],
    ["7. two Origins of a draft", 400, {
      "sec-websocket-version": "8",
      "sec-websocket-origin": "http://a.example, http://b.example",
    }],
    ["3. no Upgrade", 426, { "upgrade": undefined }],
    ["3. an empty Upgrade", 426, { "upgrade": "" }],
    ["3. another Upgrade", 426, { "upgrade": "h2c" }],
    ["3. an Upgrade that looks like it", 426, { "upgrade": "websocket2" }],
    ["4. no Connection", 400, { "connection": undefined }],
    ["4. another Connection", 400, { "connection": "keep-alive" }],
    ["5. no key", 400, { "sec-websocket-key": undefined }],
    ["5. an empty key", 400, { "sec-websocket-key": "" }],
    ["5. a key of 4 bytes", 400, { "sec-websocket-key": "YWJjZA==" }],
    ["5. a key of 15 bytes", 400, { "sec-websocket-key": "YWFhYWFhYWFhYWFhYWFh" }],
    ["5. a key of 17 bytes", 400, { "sec-websocket-key": "YWFhYWFhYWFhYWFhYWFhYWE=" }],
    ["5. a key without its padding", 400, { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ" }],
    ["5. a key of 21 characters and padding", 400, {
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZ==",
    }],
    ["5. a key with other characters", 400, { "sec-websocket-key": "dGhlIHNhbXBsZSBub25j_Q==" }],
    ["5. two keys", 400, {
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
    }],
    ["8. a subprotocol that is not a token", 400, { "sec-websocket-protocol": "a b" }],
    ["8. a subprotocol twice", 400, { "sec-websocket-protocol": "a, a" }],
    ["9. extensions that break the grammar", 400, { "sec-websocket-extensions": "a; =" }],
    ["a body", 400, { "content-length": "5" }],
    ["a chunked body", 400, { "transfer-encoding": "chunked" }],
  ];
  for (const [rule, status, fields, line] of refused) {
    it(`refuses ${rule}: ${status}`, () => {
      const error = assertThrows(() => readOpeningHandshake(request(fields, line)), HttpError);
      assertEquals(error.status, status);
    });
  }

  it("says with 405 what is allowed (RFC 9110 §15.5.6), with 426 what to upgrade to (§15.5.22)", () => {
    const post = request({}, { method: "POST" });
    assertEquals(
      assertThrows(() => readOpeningHandshake(post), HttpError).headers,
      { Allow: "GET" },
    );
    const plain = request({ "upgrade": undefined });
    assertEquals(
      assertThrows(() => readOpeningHandshake(plain), HttpError).headers,
      { Upgrade: "websocket", Connection: "Upgrade" },
    );
  });

  it("tells a request that wants to be a WebSocket from a plain one", () => {
    for (const [upgrade, expected] of [["websocket", true], ["h2c", false], ["", false]] as const) {
      assertEquals(isUpgradeRequest(request({ upgrade })), expected);
    }
    assertEquals(isUpgradeRequest(request({ "upgrade": undefined })), false);
    assertEquals(isUpgradeRequest(request({ "sec-websocket-key": undefined })), true);
  });
});

describe("opening handshake: the version (RFC 6455 §4.2.1, §4.2.2, §4.4)", () => {
  const versions: [field: string | undefined, version: number][] = [
    ["13", 13],
    ["8", 8],
    ["7", 7],
    ["0", 0],
    ["255", 255],
    [undefined, NaN],
    ["", NaN],
    ["013", NaN],
    ["+13", NaN],
    ["13.0", NaN],
    ["1e1", NaN],
    ["0xd", NaN],
    ["thirteen", NaN],
    ["13, 13", NaN],
    ["13, 8", NaN],
    ["1000", NaN],
  ];
  for (const [field, version] of versions) {
    it(`reads ${JSON.stringify(field)} as ${version}`, () => {
      const handshake = readOpeningHandshake(request({ "sec-websocket-version": field }));
      assertEquals(handshake.version, version);
    });
  }

  it("takes the origin from Sec-WebSocket-Origin in the drafts only", () => {
    for (
      const [version, expected] of [["13", null], ["8", "o"], ["7", "o"], ["x", null]] as const
    ) {
      const fields = { "sec-websocket-version": version, "sec-websocket-origin": "o" };
      assertEquals(readOpeningHandshake(request(fields)).origin, expected);
      const both = { ...fields, "origin": "p" };
      assertEquals(readOpeningHandshake(request(both)).origin, "p");
    }
  });

  it("answers another one with those that are served", () => {
    const { status, headers } = versionNotServed([13, 8]);
    assertEquals(status, 426);
    assertEquals(headers, {
      "Upgrade": "websocket",
      "Connection": "Upgrade",
      "Sec-WebSocket-Version": "13, 8",
    });
  });
});

describe("Sec-WebSocket-Accept (RFC 6455 §4.2.2)", () => {
  it("is the one of §1.3 for the key of §1.3", () => {
    assertEquals(acceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  });

  it("is made of the key as it was sent, though 16 bytes have several forms in base64", () => {
    assertEquals(acceptKey("AAAAAAAAAAAAAAAAAAAAAA=="), "ICX+Yqv66kxgM0FcWaLWlFLwTAI=");
    assertEquals(
      acceptKey("AAAAAAAAAAAAAAAAAAAAAB==") === acceptKey("AAAAAAAAAAAAAAAAAAAAAA=="),
      false,
    );
  });
});
