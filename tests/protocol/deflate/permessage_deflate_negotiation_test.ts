import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  formatExtension,
  parseExtensions,
  permessageDeflate,
  type PermessageDeflateOptions,
} from "../../../src/protocol/mod.ts";

/** The answer to a `Sec-WebSocket-Extensions` field, or "declined". */
function answer(field: string, options: PermessageDeflateOptions = {}): string {
  const session = permessageDeflate(options).negotiate(parseExtensions(field));
  if (session === undefined) return "declined";
  assertEquals(session.rsv, 0x40, "RFC 7692 §6: RSV1");
  return formatExtension({ name: "permessage-deflate", parameters: [...session.parameters] });
}

const OFFER = "permessage-deflate";
const BOTH = "; server_no_context_takeover; client_no_context_takeover";

/** What is offered, what is answered behind the name, and what is asked of the extension. */
const accepted: [rule: string, offered: string, answered: string, PermessageDeflateOptions?][] = [
  ["§7.1 no parameters", "", BOTH],
  ["§7.1.1 no takeover for the server", "; server_no_context_takeover", BOTH],
  ["§7.1.1 no takeover for the client", "; client_no_context_takeover", BOTH],
  ["§7.1.1 no takeover for both", BOTH, BOTH],
  ["§7.1.1 takeover", "", "", { contextTakeover: true }],
  [
    "§7.1.1.1 takeover, but not for the server",
    "; server_no_context_takeover",
    "; server_no_context_takeover",
    { contextTakeover: true },
  ],
  [
    "§7.1.1.2 takeover, but the client does not",
    "; client_no_context_takeover",
    "; client_no_context_takeover",
    { contextTakeover: true },
  ],
  ["§7.1.1 takeover, but not offered", BOTH, BOTH, { contextTakeover: true }],
  [
    "§7.1.2.1 a window for the server",
    "; server_max_window_bits=10",
    `${BOTH}; server_max_window_bits=10`,
  ],
  [
    "§7.1.2.1 the largest window for the server",
    "; server_max_window_bits=15",
    `${BOTH}; server_max_window_bits=15`,
  ],
  [
    "§7.1.2.1 the smallest window for the server",
    "; server_max_window_bits=8",
    `${BOTH}; server_max_window_bits=8`,
  ],
  [
    "§7.1.2.1 a window in quotes (RFC 6455 §9.1)",
    '; server_max_window_bits="12"',
    `${BOTH}; server_max_window_bits=12`,
  ],
  [
    "§7.1.2.1 a smaller window than offered",
    "; server_max_window_bits=12",
    `${BOTH}; server_max_window_bits=9`,
    {
      serverMaxWindowBits: 9,
    },
  ],
  [
    "§7.1.2.1 no larger window than offered",
    "; server_max_window_bits=9",
    `${BOTH}; server_max_window_bits=9`,
    {
      serverMaxWindowBits: 12,
    },
  ],
  ["§7.1.2.1 a smaller window unasked", "", `${BOTH}; server_max_window_bits=11`, {
    serverMaxWindowBits: 11,
  }],
  [
    "§7.1.2.1 takeover in a window of 256 bytes",
    "; server_max_window_bits=8",
    "; server_max_window_bits=8",
    {
      contextTakeover: true,
    },
  ],
  ["§7.1.2.2 the client can be told its window, and is not", "; client_max_window_bits", BOTH],
  [
    "§7.1.2.2 the client's own window",
    "; client_max_window_bits=10",
    `${BOTH}; client_max_window_bits=10`,
  ],
  [
    "§7.1.2.2 a window for the client",
    "; client_max_window_bits",
    `${BOTH}; client_max_window_bits=9`,
    {
      clientMaxWindowBits: 9,
    },
  ],
  [
    "§7.1.2.2 a smaller window for the client",
    "; client_max_window_bits=12",
    `${BOTH}; client_max_window_bits=9`,
    {
      clientMaxWindowBits: 9,
    },
  ],
  [
    "§7.1.2.2 no larger window for the client",
    "; client_max_window_bits=9",
    `${BOTH}; client_max_window_bits=9`,
    {
      clientMaxWindowBits: 12,
    },
  ],
  [
    "§7.1 all of them, in another order",
    "; client_max_window_bits=11; server_max_window_bits=10; client_no_context_takeover; server_no_context_takeover",
    `${BOTH}; server_max_window_bits=10; client_max_window_bits=11`,
  ],
];

const declined: [rule: string, offered: string, PermessageDeflateOptions?][] = [
  ["§7.1 an unknown parameter", "; x"],
  ["§7.1 an unknown parameter with a value", "; x=1"],
  ["§7.1 an unknown parameter beside known ones", "; server_max_window_bits=10; x"],
  ["§7.1 a name in other case", "; Server_No_Context_Takeover"],
  ["§7.1 __proto__", "; __proto__"],
  ["§7.1 __proto__ with a value", "; __proto__=8"],
  ["§7.1 constructor", "; constructor"],
  ["§7.1 toString", "; toString"],
  [
    "§7.1 server_no_context_takeover twice",
    "; server_no_context_takeover; server_no_context_takeover",
  ],
  [
    "§7.1 client_no_context_takeover twice",
    "; client_no_context_takeover; client_no_context_takeover",
  ],
  ["§7.1 server_max_window_bits twice", "; server_max_window_bits=10; server_max_window_bits=10"],
  ["§7.1 client_max_window_bits twice", "; client_max_window_bits; client_max_window_bits=10"],
  ["§7.1.1.1 server_no_context_takeover with a value", "; server_no_context_takeover=1"],
  ["§7.1.1.2 client_no_context_takeover with a value", "; client_no_context_takeover=true"],
  ["§7.1.2.1 server_max_window_bits without a value", "; server_max_window_bits"],
  ...["0", "1", "7", "16", "100", "08", "015", "+9", "-9", "9.0", "1e1", "0xa", "x", "8-15"]
    .flatMap(
      (value): [string, string][] => [
        [`§7.1.2.1 server_max_window_bits=${value}`, `; server_max_window_bits=${value}`],
        [`§7.1.2.2 client_max_window_bits=${value}`, `; client_max_window_bits=${value}`],
      ],
    ),
  ["§7.1.2.2 a client that cannot be told its window", "", { clientMaxWindowBits: 14 }],
];

describe("permessage-deflate, offered and accepted (RFC 7692 §7.1)", () => {
  for (const [rule, offered, answered, options] of accepted) {
    it(`${rule}: "${offered}"`, () => {
      assertEquals(answer(OFFER + offered, options), OFFER + answered);
    });
  }
});

describe("permessage-deflate, declined (RFC 7692 §7.1)", () => {
  for (const [rule, offered, options] of declined) {
    it(rule, () => assertEquals(answer(OFFER + offered, options), "declined"));
  }
});

describe("permessage-deflate, several offers (RFC 7692 §5.1)", () => {
  const offers: [rule: string, offered: string[], answered: string, PermessageDeflateOptions?][] = [
    [
      "takes the first of two",
      ["; server_max_window_bits=10", ""],
      `${BOTH}; server_max_window_bits=10`,
    ],
    [
      "passes over one that it cannot serve",
      ["; x", "; client_max_window_bits=9"],
      `${BOTH}; client_max_window_bits=9`,
    ],
    ["passes over one that is wrong", ["; server_max_window_bits=99", ""], BOTH],
    ["mixes no parameters of two", ["; server_max_window_bits", "; client_max_window_bits"], BOTH],
    [
      "finds one that leaves the window to it",
      ["", "; client_max_window_bits"],
      `${BOTH}; client_max_window_bits=10`,
      {
        clientMaxWindowBits: 10,
      },
    ],
  ];
  for (const [rule, offered, answered, options] of offers) {
    it(rule, () => {
      const field = offered.map((it) => OFFER + it).join(", ");
      assertEquals(answer(field, options), OFFER + answered);
    });
  }

  it("declines when it can serve none", () => {
    assertEquals(answer(`${OFFER}; x, ${OFFER}; server_max_window_bits=7`), "declined");
  });
});

describe("permessage-deflate: every combination of parameters (RFC 7692 §7.1)", () => {
  const bits = [undefined, 8, 9, 10, 11, 12, 13, 14, 15];
  const switches = [false, true];

  it("is answered with what the offer allows", () => {
    for (const contextTakeover of switches) {
      for (const serverNo of switches) {
        for (const clientNo of switches) {
          for (const server of bits) {
            for (const client of [...bits, 0]) {
              for (const own of [9, 15]) {
                const field = OFFER +
                  (serverNo ? "; server_no_context_takeover" : "") +
                  (clientNo ? "; client_no_context_takeover" : "") +
                  (server ? `; server_max_window_bits=${server}` : "") +
                  (client ? `; client_max_window_bits=${client}` : "") +
                  (client === 0 ? "; client_max_window_bits" : "");
                const options = { contextTakeover, serverMaxWindowBits: own };
                check(field, answer(field, options), options);
              }
            }
          }
        }
      }
    }
  });

  function check(offered: string, answered: string, options: PermessageDeflateOptions): void {
    const offer = new Map(parseExtensions(offered)[0].parameters);
    const given = new Map(parseExtensions(answered)[0].parameters);
    const why = `${offered} was answered with ${answered}`;
    if (offer.has("server_no_context_takeover") || !options.contextTakeover) {
      assert(given.has("server_no_context_takeover"), why);
    }
    if (offer.has("client_no_context_takeover") || !options.contextTakeover) {
      assert(given.has("client_no_context_takeover"), why);
    }
    const server = Math.min(
      Number(offer.get("server_max_window_bits") ?? 15),
      options.serverMaxWindowBits!,
    );
    assertEquals(Number(given.get("server_max_window_bits") ?? 15), server, why);
    if (offer.has("server_max_window_bits")) assert(given.has("server_max_window_bits"), why);
    // §7.1.2.2: a client that did not offer it must not get it.
    if (!offer.has("client_max_window_bits")) assert(!given.has("client_max_window_bits"), why);
    const client = Number(offer.get("client_max_window_bits") ?? 15);
    assertEquals(Number(given.get("client_max_window_bits") ?? 15), client, why);
  }
});

describe("permessage-deflate: options", () => {
  it("have their defaults", () => {
    assertEquals(permessageDeflate().options, {
      contextTakeover: false,
      serverMaxWindowBits: 15,
      clientMaxWindowBits: 15,
      level: 3,
    });
  });

  it("are refused out of range", () => {
    for (const value of [7, 16, 0, -9, 9.5, NaN, Infinity]) {
      for (const name of ["serverMaxWindowBits", "clientMaxWindowBits"]) {
        assertThrows(() => permessageDeflate({ [name]: value }), RangeError, `${name} ${value}`);
      }
    }
    for (const level of [0, 10, -1, 1.5, NaN]) {
      assertThrows(() => permessageDeflate({ level }), RangeError, `level ${level}`);
    }
  });

  it("are refused by name when they are unknown, as a misspelled one is", () => {
    for (const name of ["contextTakeOver", "windowBits", "threshold", "toString", "__proto__"]) {
      const options = JSON.parse(`{ "${name}": true }`);
      const error = assertThrows(() => permessageDeflate(options), TypeError, `"${name}"`);
      assertEquals((error as { code?: string }).code, "ERR_INVALID_ARGUMENT");
      assertMatch(error.message, /use contextTakeover, .*, level$/);
    }
  });

  it("are refused when they are of a wrong type", () => {
    const wrong = [true, "fast", 3, null, { contextTakeover: "yes" }, { contextTakeover: 1 }];
    for (const options of wrong as object[]) {
      assertThrows(() => permessageDeflate(options), TypeError, "Cannot use");
    }
    assertThrows(() => permessageDeflate({ level: "3" as unknown as number }), RangeError, "level");
    assertEquals(permessageDeflate({ level: undefined }).options.level, 3);
  });
});
