import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  ChatError,
  type ErrorCode,
  limits,
  nicknameKey,
  parseClientMessage,
} from "../../examples/chat_protocol.ts";

const join = { type: "join", room: "garden", nickname: "Ada" };
const say = { type: "say", id: "a-1", text: "Hello" };

function parse(message: unknown) {
  return parseClientMessage(JSON.stringify(message));
}

function refuses(message: unknown, code: ErrorCode): void {
  assert.throws(
    () => parse(message),
    (error) => error instanceof ChatError && error.code === code && error.message.endsWith("."),
    JSON.stringify(message),
  );
}

describe("parseClientMessage", () => {
  test("takes the two messages there are", () => {
    assert.deepEqual(parse(join), join);
    assert.deepEqual(parse({ ...join, session: "s_1" }), { ...join, session: "s_1" });
    assert.deepEqual(parse(say), say);
  });

  test("drops fields that it does not know", () => {
    assert.deepEqual(parse({ ...say, nickname: "somebody else", __proto__: null }), say);
  });

  test("trims and normalizes names", () => {
    const message = { ...join, room: " the \t garden ", nickname: "Zoe\u0308" };
    assert.deepEqual(parse(message), { ...join, room: "the garden", nickname: "Zo\u00eb" });
  });

  test("trims texts and keeps their lines", () => {
    const text = "\r\n one\r\n\ttwo\rthree\n";
    assert.deepEqual(parse({ ...say, text }), { ...say, text: "one\n\ttwo\nthree" });
  });

  test("refuses what is not a message", () => {
    for (const json of ["", "{", "null", "1", '"join"', "[]", "{}", '{"type":"constructor"}']) {
      assert.throws(() => parseClientMessage(json), { name: "ChatError", code: "bad-message" });
    }
    for (const type of ["leave", "Join", 1, null]) refuses({ ...join, type }, "bad-message");
  });

  test("bounds every length", () => {
    for (const [field, code] of [["room", "bad-room"], ["nickname", "bad-nickname"]] as const) {
      const longest = "x".repeat(limits[field]);
      assert.deepEqual(parse({ ...join, [field]: longest }), { ...join, [field]: longest });
      for (const value of [`${longest}x`, "", "  ", "\u200b", 1, null, undefined, ["x"]]) {
        refuses({ ...join, [field]: value }, code);
      }
    }
    const longest = "x".repeat(limits.text);
    assert.deepEqual(parse({ ...say, text: longest }), { ...say, text: longest });
    for (const text of [`${longest}x`, "", " \n ", 1, null, undefined]) {
      refuses({ ...say, text }, "bad-text");
    }
    for (const token of ["", "a b", "x".repeat(65), 1, null]) {
      refuses({ ...say, id: token }, "bad-message");
      refuses({ ...join, session: token }, "bad-message");
    }
  });

  test("refuses characters that deceive or cannot be sent", () => {
    for (const character of ["\0", "\x1b", "\x7f", "\u202e", "\u2066", "\u200f", "\ud800"]) {
      refuses({ ...join, nickname: `A${character}da` }, "bad-nickname");
      refuses({ ...join, room: `A${character}da` }, "bad-room");
    }
    for (const character of ["\0", "\x1b", "\ud800"]) {
      refuses({ ...say, text: `A${character}da` }, "bad-text");
    }
  });

  test("takes markup and every script for what they are: text", () => {
    for (const nickname of ["<b>Ada</b>", "李小龍", "עדה", 'O\'Brien & "co"', "👩‍🚀"]) {
      assert.deepEqual(parse({ ...join, nickname }), { ...join, nickname });
    }
  });
});

test("nicknames that look alike have the same key", () => {
  assert.equal(nicknameKey("ADA"), nicknameKey("ada"));
  assert.equal(nicknameKey("Ａｄａ"), nicknameKey("Ada"));
  assert.notEqual(nicknameKey("Ada"), nicknameKey("Eda"));
});
