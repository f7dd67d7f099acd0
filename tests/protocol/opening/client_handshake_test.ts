import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  acceptKey,
  checkOpeningResponse,
  type Extension,
  formatExtension,
  makeKey,
  openingFields,
  parseExtensions,
  permessageDeflate,
  type PermessageDeflateOptions,
  ProtocolError,
  readOpeningHandshake,
  RequestHead,
  ResponseHead,
} from "../../../src/protocol/mod.ts";

const key = "dGhlIHNhbXBsZSBub25jZQ==";
const RIGHT: Record<string, string> = {
  "Upgrade": "websocket",
  "Connection": "Upgrade",
  "Sec-WebSocket-Accept": acceptKey(key),
};

function head(fields: Record<string, string>, status = 101, minorVersion = 1): ResponseHead {
  const lines = Object.entries(fields).filter(([, value]) => value !== "-")
    .map(([name, value]) => `\r\n${name}: ${value}`);
  return new ResponseHead(status, minorVersion, lines.join(""));
}

const asked = {
  key,
  subprotocols: ["chat", "superchat"],
  extensions: [permessageDeflate()] as Extension[],
};

function codeOf(act: () => unknown): number {
  return assertThrows(act, ProtocolError).closeCode;
}

describe("the opening handshake of a client (RFC 6455 §4.1)", () => {
  it("asks for what a server's side reads", () => {
    const fields = openingFields({
      target: "/chat?x=1",
      host: "example.com:8080",
      ...asked,
      headers: [["origin", "https://example.com"], ["cookie", "a=b"]],
    });
    const read = readOpeningHandshake(new RequestHead("GET", "/chat?x=1", 1, fields));
    assertEquals(read.key, key);
    assertEquals(read.version, 13);
    assertEquals(read.origin, "https://example.com");
    assertEquals(read.subprotocols, ["chat", "superchat"]);
    assertEquals(read.extensions.map((it) => it.name), ["permessage-deflate"]);
  });

  it("makes a new key of 16 bytes each time", () => {
    const keys = new Set(Array.from({ length: 50 }, makeKey));
    assertEquals(keys.size, 50);
    for (const it of keys) assertEquals(atob(it).length, 16);
  });

  it("lets no line break into a field", () => {
    const bad = {
      target: "/",
      host: "a",
      ...asked,
      headers: [["x", "1\r\ny: 2"]] as [string, string][],
    };
    assertThrows(() => openingFields(bad), TypeError);
  });

  const taken: [rule: string, Record<string, string>][] = [
    ["as it should be", {}],
    ["with other cases", { Upgrade: "WebSocket", Connection: "upgrade" }],
    ["with more in Connection", { Connection: "keep-alive, Upgrade" }],
    ["with a subprotocol that was offered", { "Sec-WebSocket-Protocol": "superchat" }],
    ["without extensions in the field", { "Sec-WebSocket-Extensions": "" }],
  ];
  for (const [rule, fields] of taken) {
    it(`takes an answer ${rule}`, () => {
      checkOpeningResponse(head({ ...RIGHT, ...fields }), asked);
    });
  }

  const refused: [rule: string, Record<string, string>, code?: number][] = [
    ["without Upgrade", { Upgrade: "-" }],
    ["with another Upgrade", { Upgrade: "h2c" }],
    ["with two in Upgrade", { Upgrade: "websocket, h2c" }],
    ["without Connection", { Connection: "-" }],
    ["with another Connection", { Connection: "keep-alive" }],
    ["without Sec-WebSocket-Accept", { "Sec-WebSocket-Accept": "-" }],
    ["with the accept of another key", { "Sec-WebSocket-Accept": acceptKey(makeKey()) }],
    ["with the accept in another case", {
      "Sec-WebSocket-Accept": RIGHT["Sec-WebSocket-Accept"].toLowerCase(),
    }],
    ["with a subprotocol that was not offered", { "Sec-WebSocket-Protocol": "other" }],
    ["with a subprotocol in another case", { "Sec-WebSocket-Protocol": "Chat" }],
    ["with two subprotocols", { "Sec-WebSocket-Protocol": "chat, superchat" }],
    ["with an empty subprotocol", { "Sec-WebSocket-Protocol": "" }],
    ["with extensions that cannot be read", { "Sec-WebSocket-Extensions": "a;;" }],
    ["with an extension that was not offered", { "Sec-WebSocket-Extensions": "x-zip" }, 1010],
    ["with an extension twice", {
      "Sec-WebSocket-Extensions": "permessage-deflate; server_no_context_takeover, " +
        "permessage-deflate; server_no_context_takeover",
    }, 1010],
  ];
  for (const [rule, fields, code = 1002] of refused) {
    it(`refuses an answer ${rule}`, () => {
      assertEquals(codeOf(() => checkOpeningResponse(head({ ...RIGHT, ...fields }), asked)), code);
    });
  }

  it("refuses an answer of HTTP/1.0, and another status", () => {
    assertEquals(codeOf(() => checkOpeningResponse(head(RIGHT, 101, 0), asked)), 1002);
    assertEquals(codeOf(() => checkOpeningResponse(head(RIGHT, 200), asked)), 1002);
  });

  it("closes the sessions of extensions when one is refused", () => {
    let closed = 0;
    const session = { rsv: 0x20, parameters: [], close: () => void closed++ };
    const extension = {
      name: "x-a",
      negotiate: () => undefined,
      offer: () => [{ name: "x-a", parameters: [] }],
      accept: () => session,
    } as unknown as Extension;
    const answer = head({ ...RIGHT, "Sec-WebSocket-Extensions": "x-a, x-b" });
    assertEquals(
      codeOf(() => checkOpeningResponse(answer, { ...asked, extensions: [extension] })),
      1010,
    );
    assertEquals(closed, 1);
  });
});

describe("permessage-deflate, offered (RFC 7692 §7.1)", () => {
  const BOTH = "server_no_context_takeover; client_no_context_takeover";
  const offers: [PermessageDeflateOptions, string][] = [
    [{}, `; ${BOTH}; client_max_window_bits`],
    [{ contextTakeover: true }, "; client_max_window_bits"],
    [
      { contextTakeover: true, serverMaxWindowBits: 10, clientMaxWindowBits: 9 },
      "; server_max_window_bits=10; client_max_window_bits=9",
    ],
  ];
  for (const [options, parameters] of offers) {
    it(`offers permessage-deflate${parameters}`, () => {
      const [offer, ...more] = permessageDeflate(options).offer();
      assertEquals(formatExtension(offer), `permessage-deflate${parameters}`);
      assertEquals(more, []);
    });
  }

  const TAKEOVER = { contextTakeover: true };
  const answers: [parameters: string, PermessageDeflateOptions, taken: boolean][] = [
    ["", TAKEOVER, true],
    [`; ${BOTH}`, {}, true],
    ["; server_no_context_takeover", {}, true],
    ["", {}, false],
    ["; client_no_context_takeover", {}, false],
    ["; server_max_window_bits=9", TAKEOVER, true],
    ["; server_max_window_bits=11", { ...TAKEOVER, serverMaxWindowBits: 10 }, false],
    ["; server_max_window_bits=10", { ...TAKEOVER, serverMaxWindowBits: 10 }, true],
    ["", { ...TAKEOVER, serverMaxWindowBits: 10 }, false],
    ["; client_max_window_bits=8", TAKEOVER, true],
    ["; client_max_window_bits", TAKEOVER, false],
    ["; client_max_window_bits=16", TAKEOVER, false],
    ["; server_max_window_bits", TAKEOVER, false],
    ["; server_max_window_bits=08", TAKEOVER, false],
    ["; server_no_context_takeover=1", TAKEOVER, false],
    ["; unknown", TAKEOVER, false],
    ["; server_no_context_takeover; server_no_context_takeover", TAKEOVER, false],
  ];
  for (const [parameters, options, taken] of answers) {
    it(`${taken ? "takes" : "refuses"} permessage-deflate${parameters} for ${JSON.stringify(options)}`, () => {
      const [answer] = parseExtensions(`permessage-deflate${parameters}`);
      const accept = () => permessageDeflate(options).accept(answer);
      if (taken) assertEquals(accept().rsv, 0x40);
      else assertEquals(codeOf(accept), 1010);
    });
  }

  it("understands a server's side with any parameters that both have agreed on", () => {
    const bits = [8, 9, 15];
    const all = [true, false].flatMap((contextTakeover) =>
      bits.flatMap((serverMaxWindowBits) =>
        bits.map((clientMaxWindowBits) => ({
          contextTakeover,
          serverMaxWindowBits,
          clientMaxWindowBits,
        }))
      )
    );
    const message = new TextEncoder().encode("again and again and ".repeat(60));
    for (const clients of all) {
      for (const servers of all) {
        const extension = permessageDeflate(clients);
        const server = permessageDeflate(servers).negotiate(extension.offer());
        assert(server !== undefined);
        const client = extension.accept({
          name: "permessage-deflate",
          parameters: [...server.parameters],
        });
        for (let i = 0; i < 3; i++) {
          assertEquals(client.decode(server.encode(message)!.slice(), 1 << 20), message);
          assertEquals(server.decode(client.encode(message)!.slice(), 1 << 20), message);
        }
      }
    }
  });
});
