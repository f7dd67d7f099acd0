import type { NegotiatedExtension, ReceiverOptions } from "../../../src/protocol/mod.ts";

/**
 * What a client sends and what a receiver must tell of it. The bytes are written as `notation.ts`
 * reads them, with the masking key 00000000 where the masking is not the point; a "!" stands behind
 * the byte with which the last event must be there, where that is not the last byte.
 */
export interface Row {
  readonly rule: string;
  readonly sent: string;
  readonly told: readonly string[];
  readonly options?: Partial<ReceiverOptions>;
}

function row(
  rule: string,
  sent: string,
  told: string | readonly string[],
  options?: Partial<ReceiverOptions>,
): Row {
  return { rule, sent, told: typeof told === "string" ? [told] : told, options };
}

/** Marks its messages with RSV2 and reverses them. */
const reverse: NegotiatedExtension = {
  name: "x-reverse",
  session: {
    rsv: 0x20,
    parameters: [],
    decode: (payload) => payload.reverse(),
    encode: () => undefined,
  },
};
const extensions = [reverse];

const FAIL_MASK = "fail 1002 RFC 6455 §5.1";
const FAIL_LAYOUT = "fail 1002 RFC 6455 §5.2";
const FAIL_FRAGMENT = "fail 1002 RFC 6455 §5.4";
const FAIL_CONTROL = "fail 1002 RFC 6455 §5.5";
const FAIL_CODE = "fail 1002 RFC 6455 §7.4";
const FAIL_UTF8 = "fail 1007 RFC 6455 §8.1";
const FAIL_SIZE = "fail 1009 maxRecvSize";

/** How the first 16 of many bytes "a" are shown. */
const MANY = "61 ".repeat(16) + "...";

const messages: Row[] = [
  row("§5.7 a masked text", "81 85 37fa213d 7f9f4d5158", "text Hello"),
  row("§5.7 a fragmented text", '01 83 00000000 "Hel" 80 82 00000000 "lo"', "text Hello"),
  row("§5.7 a ping, masked", "89 85 37fa213d 7f9f4d5158", "ping 48 65 6c 6c 6f"),
  row("§5.7 a masked pong", "8a 85 37fa213d 7f9f4d5158", "pong 48 65 6c 6c 6f"),
  row("§5.7 256 bytes", "82 fe 0100 00000000 61*256", `binary ${MANY} (256)`),
  row("§5.7 64 KiB", "82 ff 0000000000010000 00000000 61*65536", `binary ${MANY} (65536)`),
  row("§5.6 an empty text", "81 80 37fa213d", "text"),
  row("§5.6 an empty binary", "82 80 37fa213d", "binary"),
  row("§5.6 a text with NUL", "81 83 00000000 61 00 62", "text a\0b"),
  row("§5.6 a text that begins with a byte order mark", "81 84 00000000 efbbbf 61", "text \ufeffa"),
  row("§5.6 characters of 1 to 4 bytes", '81 8a 00000000 "aé☃🎉"', "text aé☃🎉"),
  row("§5.6 bytes that are no UTF-8, in a binary", "82 83 00000000 ff c0 80", "binary ff c0 80"),
  row("§5.2 125 bytes", "82 fd 00000000 61*125", `binary ${MANY} (125)`),
  row("§5.2 126 bytes", "82 fe 007e 00000000 61*126", `binary ${MANY} (126)`),
  row("§5.2 65,535 bytes", "82 fe ffff 00000000 61*65535", `binary ${MANY} (65535)`),
  row("§6.2 three messages", '81 81 01020304 60 82 81 00000000 "b" 81 80 00000000', [
    "text a",
    "binary 62",
    "text",
  ]),
];

const fragments: Row[] = [
  row("§5.4 three fragments", '02 81 00000000 "a" 00 81 00000000 "b" 80 81 00000000 "c"', [
    "binary 61 62 63",
  ]),
  row("§5.4 empty fragments", "01 80 00000000 00 80 00000000 80 80 00000000", "text"),
  row("§5.4 empty fragments round a full one", '01 80 37fa213d 00 81 00000000 "a" 80 80 00000000', [
    "text a",
  ]),
  row("§5.4 fragments with keys of their own", "01 81 01000000 60 80 81 02000000 60", "text ab"),
  row(
    "§5.4 a character cut by fragments",
    "01 81 00000000 e2 00 81 00000000 98 80 81 00000000 83",
    [
      "text ☃",
    ],
  ),
  row("§5.4 a ping within a message", '01 81 00000000 "a" 89 81 00000000 "p" 80 81 00000000 "b"', [
    "ping 70",
    "text ab",
  ]),
  row(
    "§5.4 control frames within a character",
    '01 82 00000000 e298 89 80 00000000 8a 81 00000000 "p" 80 81 00000000 83',
    ["ping", "pong 70", "text ☃"],
  ),
  row("§5.4 a message after a fragmented one", '02 80 00000000 80 80 00000000 81 81 00000000 "a"', [
    "binary",
    "text a",
  ]),
  row("§5.4 nothing to continue", "80 80 00000000", FAIL_FRAGMENT),
  row("§5.4 nothing to continue, and more to come", "00 81 00000000 ! 61", FAIL_FRAGMENT),
  row(
    "§5.4 a continuation after the last fragment",
    "02 80 00000000 80 80 00000000 80 80 00000000",
    [
      "binary",
      FAIL_FRAGMENT,
    ],
  ),
  row("§5.4 a continuation after a whole message", "82 80 00000000 80 80 00000000", [
    "binary",
    FAIL_FRAGMENT,
  ]),
  row("§5.4 a continuation after a control frame", "89 80 00000000 80 80 00000000", [
    "ping",
    FAIL_FRAGMENT,
  ]),
  row("§5.4 a text within a text", "01 81 00000000 61 81 81 00000000 ! 62", FAIL_FRAGMENT),
  row("§5.4 a binary within a text", "01 80 00000000 82 80 00000000", FAIL_FRAGMENT),
  row("§5.4 a fragmented binary within a binary", "02 80 00000000 02 80 00000000", FAIL_FRAGMENT),
];

const controls: Row[] = [
  row("§5.5.2 an empty ping", "89 80 37fa213d", "ping"),
  row("§5.5.2 a ping of 125 bytes", "89 fd 00000000 61*125", `ping ${MANY} (125)`),
  row("§5.5.2 a ping that is no UTF-8", "89 82 00000000 ff fe", "ping ff fe"),
  row("§5.5.3 a pong nobody asked for", "8a 80 37fa213d", "pong"),
  row("§5.5 a ping of 126 bytes", "89 fe 007e 00000000 ! 61*126", FAIL_CONTROL),
  row("§5.5 a pong of 126 bytes", "8a fe 007e 00000000 ! 61*126", FAIL_CONTROL),
  row("§5.5 a close of 126 bytes", "88 fe 007e 00000000 ! 03e8 61*124", FAIL_CONTROL),
  row("§5.5 a ping of 2^62 bytes", "89 ff 4000000000000000 00000000 !", FAIL_CONTROL),
  row("§5.5 a fragmented ping", "09 80 00000000", FAIL_CONTROL),
  row("§5.5 a fragmented pong", "0a 80 00000000", FAIL_CONTROL),
  row("§5.5 a fragmented close", "08 80 00000000", FAIL_CONTROL),
  row("§5.5 a fragmented ping within a message", "01 80 00000000 09 80 00000000", FAIL_CONTROL),
  row("§5.2 a short ping whose length takes 2 bytes", "89 fe 0001 00000000 ! 61", FAIL_LAYOUT),
];

const layout: Row[] = [
  row("§5.1 the unmasked text of §5.7", '81 05 ! "Hello"', FAIL_MASK),
  row("§5.1 the unmasked fragment of §5.7", '01 03 ! "Hel"', FAIL_MASK),
  row("§5.1 the unmasked ping of §5.7", '89 05 ! "Hello"', FAIL_MASK),
  row("§5.1 the unmasked 256 bytes of §5.7", "82 7e 0100 ! 61*256", FAIL_MASK),
  row("§5.1 the unmasked 64 KiB of §5.7", "82 7f 0000000000010000 ! 61*300", FAIL_MASK),
  row("§5.1 an empty unmasked text", "81 00", FAIL_MASK),
  row("§5.1 an unmasked close", "88 00", FAIL_MASK),
  row("§5.1 an unmasked last fragment", "01 80 00000000 80 00", FAIL_MASK),
  ...[0x40, 0x20, 0x10, 0x50, 0x70].flatMap((rsv) =>
    [0x1, 0x2, 0x8, 0x9, 0xa].map((opcode) => {
      const first = (0x80 | rsv | opcode).toString(16);
      return row(`§5.2 reserved bits in ${first}`, `${first} 80 00000000`, FAIL_LAYOUT);
    })
  ),
  row("§5.2 a reserved bit in a last fragment", "01 80 00000000 c0 80 00000000", FAIL_LAYOUT),
  row("§5.2 a reserved bit in a fragment with a payload", "41 81 00000000 ! 61", FAIL_LAYOUT),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => {
    const last = `8${opcode.toString(16)}`;
    const first = `0${opcode.toString(16)}`;
    return [
      row(`§5.2 reserved opcode ${opcode}`, `${last} 80 00000000`, FAIL_LAYOUT),
      row(`§5.2 reserved opcode ${opcode}, a payload`, `${last} 81 00000000 ! 61`, FAIL_LAYOUT),
      row(`§5.2 reserved opcode ${opcode}, no FIN`, `${first} 80 00000000`, FAIL_LAYOUT),
      row(
        `§5.2 reserved opcode ${opcode} within a message`,
        `01 80 00000000 ${last} 80 00000000`,
        FAIL_LAYOUT,
      ),
    ];
  }),
  row("§5.2 0 bytes, the length in 2", "81 fe 0000 00000000", FAIL_LAYOUT),
  row("§5.2 125 bytes, the length in 2", "81 fe 007d 00000000 ! 61*125", FAIL_LAYOUT),
  row("§5.2 125 bytes, the length in 8", "81 ff 000000000000007d 00000000 ! 61*125", FAIL_LAYOUT),
  row("§5.2 65,535 bytes, the length in 8", "82 ff 000000000000ffff 00000000 ! 61*9", FAIL_LAYOUT),
  row("§5.2 a length of 64 bits", "82 ff 8000000000000000 00000000 ! 61*9", FAIL_LAYOUT),
  row("§5.2 a length of all ones", "82 ff ffffffffffffffff 00000000 ! 61*9", FAIL_LAYOUT),
];

const closes: Row[] = [
  row("§7.1.5 a close without a code", "88 80 37fa213d", "close 1005"),
  row("§5.5.1 a close with a code", "88 82 00000000 03e8", "close 1000"),
  row("§5.5.1 a close with a reason", '88 8a 00000000 0bb8 "gone ☃"', [
    "close 3000 gone ☃",
  ]),
  row(
    "§5.5.1 a reason of 123 bytes",
    "88 fd 00000000 03e9 61*123",
    `close 1001 ${"a".repeat(123)}`,
  ),
  row("§5.4 a close within a message", "01 81 00000000 61 88 80 00000000", "close 1005"),
  row("§5.5.1 a ping after the close", "88 80 00000000 ! 89 80 00000000", "close 1005"),
  row("§5.5.1 a second close", "88 82 00000000 03e8 ! 88 82 00000000 03e9", "close 1000"),
  row("§5.5.1 nonsense after the close", "88 80 00000000 ! ff*20", "close 1005"),
  row("§5.5.1 one byte", "88 81 00000000 03", "fail 1002 RFC 6455 §5.5.1"),
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map((code) =>
    row(
      `§7.4 code ${code}`,
      `88 82 00000000 ${code.toString(16).padStart(4, "0")}`,
      FAIL_CODE,
    )
  ),
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999].map(
    (code) =>
      row(
        `§7.4 code ${code}`,
        `88 82 00000000 ${code.toString(16).padStart(4, "0")}`,
        `close ${code}`,
      ),
  ),
  row("§8.1 a reason that is no UTF-8", '88 85 00000000 03e8 "a" c080', [
    "fail 1007 RFC 6455 §5.5.1",
  ]),
  row("§8.1 a reason that is cut off", "88 84 00000000 03e8 e298", "fail 1007 RFC 6455 §5.5.1"),
];

const utf8: Row[] = [
  row("§8.1 a bad byte alone", "81 81 00000000 ff", FAIL_UTF8),
  row("§8.1 a bad byte in the middle of a frame", '81 8b 00000000 "Hello" ff ! "World"', FAIL_UTF8),
  row("§8.1 an overlong form in the middle", '81 88 00000000 "abc" c0 ! 80 "def"', FAIL_UTF8),
  row("§8.1 a surrogate in the middle", '81 89 00000000 "abc" ed a0 ! 80 "def"', FAIL_UTF8),
  row(
    "§8.1 Autobahn 6.4.1: a bad byte in the second of three fragments",
    "01 8b 00000000 cebae1bdb9cf83cebcceb5 00 84 00000000 f490 ! 8080 80 86 00000000 656469746564",
    FAIL_UTF8,
  ),
  row(
    "§8.1 Autobahn 6.4.2: the bad byte is known before the fragment's end",
    "01 8c 00000000 cebae1bdb9cf83cebcceb5 f4 00 83 00000000 90 ! 8080 80 86 00000000 656469746564",
    FAIL_UTF8,
  ),
  row(
    "§8.1 Autobahn 6.4.3: one frame",
    "81 95 00000000 cebae1bdb9cf83cebcceb5 f490 ! 8080 656469746564",
    FAIL_UTF8,
  ),
  row(
    "§8.1 a bad byte far into a long frame that has not come",
    '81 ff 0000000000080000 00000000 61*200 e2 41 ! "more"',
    FAIL_UTF8,
  ),
  row("§8.1 a message that ends within a character", '81 83 00000000 "a" e298', FAIL_UTF8),
  row(
    "§8.1 fragments that end within a character",
    "01 82 00000000 e298 80 80 00000000",
    FAIL_UTF8,
  ),
  row(
    "§8.1 a ping, told of before the bad byte",
    "01 82 00000000 e298 89 80 00000000 00 82 00000000 41 ! 41",
    ["ping", FAIL_UTF8],
  ),
  row(
    "§8.1 a character begun in one message, ended in the next",
    "81 81 00000000 e2 ! 81 80 00000000",
    [
      FAIL_UTF8,
    ],
  ),
  row(
    "§8.1 bytes that are no UTF-8 in fragments of a binary",
    "02 81 00000000 ff 80 81 00000000 c0",
    [
      "binary ff c0",
    ],
  ),
  row(
    "§8.1 a text after a binary that was no UTF-8",
    "02 81 00000000 ff 80 81 00000000 c0 01 81 00000000 61 80 81 00000000 62",
    ["binary ff c0", "text ab"],
  ),
];

const ten = { maxMessageSize: 10 };
const limits: Row[] = [
  row(
    "a message of just the limit",
    "82 8a 00000000 61*10",
    "binary 61 61 61 61 61 61 61 61 61 61",
    ten,
  ),
  row("a frame over the limit, known by its header", "82 8b 00000000 ! 61*11", FAIL_SIZE, ten),
  row("a text over the limit", "81 8b 00000000 ! 61*11", FAIL_SIZE, ten),
  row("a frame of 2^31 bytes", "82 ff 0000000080000000 00000000 ! 61", FAIL_SIZE),
  row("a frame of 2^53 bytes", "82 ff 0020000000000000 00000000 ! 61", FAIL_SIZE),
  row("a frame of 2^62 bytes", "82 ff 4000000000000000 00000000 ! 61", FAIL_SIZE),
  row("a frame of 2^63 - 1 bytes", "82 ff 7fffffffffffffff 00000000 ! 61", FAIL_SIZE),
  row("fragments of just the limit", "02 86 00000000 61*6 80 84 00000000 61*4", [
    "binary 61 61 61 61 61 61 61 61 61 61",
  ], ten),
  row(
    "fragments over the limit, known by the second header",
    "02 86 00000000 61*6 80 85 00000000 ! 61*5",
    [
      FAIL_SIZE,
    ],
    ten,
  ),
  row("messages whose sizes must not add up", "82 8a 00000000 00*10 82 8a 00000000 00*10", [
    `binary ${"00 ".repeat(9)}00`,
    `binary ${"00 ".repeat(9)}00`,
  ], ten),
  row(
    "a control frame beside the limit",
    "02 8a 00000000 61*10 89 84 00000000 61*4 80 80 00000000",
    [
      "ping 61 61 61 61",
      "binary 61 61 61 61 61 61 61 61 61 61",
    ],
    ten,
  ),
  row("a limit of nothing takes an empty message", "82 80 00000000", "binary", {
    maxMessageSize: 0,
  }),
  row("a limit of nothing takes no byte", "82 81 00000000 ! 61", FAIL_SIZE, { maxMessageSize: 0 }),
  row(
    "just as many fragments as may be",
    "02 80 00000000 00 80 00000000 80 80 00000000",
    "binary",
    {
      maxFragments: 3,
    },
  ),
  row("a fragment too many", "02 80 00000000 00 80 00000000 00 80 00000000 ! 80 80 00000000", [
    "fail 1008 maxFragments",
  ], { maxFragments: 2 }),
  row("fragments count for one message only", `${"01 80 00000000 80 80 00000000 ".repeat(3)}`, [
    "text",
    "text",
    "text",
  ], { maxFragments: 2 }),
];

const extended: Row[] = [
  row("§9 a message with the extension's bit", 'a1 83 00000000 "abc"', "text cba", { extensions }),
  row("§9 an empty message with the bit", "a1 80 00000000", "text", { extensions }),
  row("§9 a message without the bit", '81 83 00000000 "abc"', "text abc", { extensions }),
  row(
    "§9 fragments: the bit is in the first",
    '21 82 00000000 "ab" 80 81 00000000 "c"',
    "text cba",
    {
      extensions,
    },
  ),
  row("§9 the bit in a later fragment", '21 82 00000000 "ab" a0 81 00000000 ! "c"', FAIL_LAYOUT, {
    extensions,
  }),
  row(
    "§9 a ping within such a message",
    'a2 81 37fa213d 56 22 81 00000000 "a" 89 80 00000000 80 80 00000000',
    [
      "binary 61",
      "ping",
      "binary 61",
    ],
    { extensions },
  ),
  row("§5.2 another bit", "91 80 00000000", FAIL_LAYOUT, { extensions }),
  row("§5.2 another bit beside it", "b1 80 00000000", FAIL_LAYOUT, { extensions }),
  row("§5.2 the bit in a ping", "a9 80 00000000", FAIL_LAYOUT, { extensions }),
  row("§8.1 text that is UTF-8 only as sent", "a1 83 00000000 e29883", FAIL_UTF8, { extensions }),
  row("§8.1 text that is UTF-8 only when decoded", "a1 83 00000000 8398e2", "text ☃", {
    extensions,
  }),
];

/** Every rule of RFC 6455 that binds what a server receives, by section. */
export const TABLE: Readonly<Record<string, readonly Row[]>> = {
  "messages (§5.6, §6.2)": messages,
  "the layout of frames (§5.1, §5.2)": layout,
  "fragments (§5.4)": fragments,
  "control frames (§5.5)": controls,
  "the closing handshake (§5.5.1, §7)": closes,
  "text as it arrives (§8.1)": utf8,
  "limits (§10.4)": limits,
  "extensions (§9)": extended,
};
