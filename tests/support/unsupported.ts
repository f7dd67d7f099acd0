import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import { WebSocketError } from "../../mod.ts";

/** The error of an act that must throw one of ours. */
export function errorOf(act: () => unknown): WebSocketError {
  try {
    act();
  } catch (error) {
    assertInstanceOf(error, WebSocketError);
    return error;
  }
  throw new Error("Expected an error");
}

/** Checks that an act is refused since the transport cannot do it, and that the error names one that can. */
export function assertUnsupported(act: () => unknown): WebSocketError {
  const error = errorOf(act);
  assertEquals(error.code, "ERR_UNSUPPORTED");
  assertMatch(error.message, /^Cannot .+: .+ Use transport: "(tcp|http)"\.$/);
  return error;
}

/** Checks that an act is refused for what it was given, and that the error says what it takes. */
export function assertInvalid(act: () => unknown, words: RegExp): void {
  const error = errorOf(act);
  assertEquals(error.code, "ERR_INVALID_ARGUMENT");
  assert(words.test(error.message), `${error.message} has no ${words}`);
}
