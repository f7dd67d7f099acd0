import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { describe, it } from "node:test";
import { ProtocolError } from "../../../src/protocol/mod.ts";
import { engineFailure } from "../../../src/transport/http/engine_failure.ts";

describe("what an engine says at the end of a connection", () => {
  const broken: Record<string, number> = {
    "Received invalid UTF-8": 1007,
    "Received too big message": 1009,
    "Received an incorrectly masked frame": 1002,
    "Received invalid compressed data": 1002,
    "Invalid UTF-8": 1007,
    "Frame too large": 1009,
    "Reserved bits are not zero": 1002,
    "Control frame must not be fragmented": 1002,
    "Ping frame too large": 1002,
    "Invalid continuation frame": 1002,
    "Invalid close code": 1002,
    "Invalid value": 1002,
  };
  for (const [message, code] of Object.entries(broken)) {
    it(`"${message}" is the peer's fault: ${code} (RFC 6455 §7.4.1)`, () => {
      const failure = engineFailure(message);
      assertInstanceOf(failure, ProtocolError);
      assertEquals(failure.closeCode, code);
    });
  }

  for (const message of ["Connection is closed", "out of memory", "x"]) {
    it(`"${message}" is not known, and nobody's fault: a plain error with these words`, () => {
      const failure = engineFailure(message);
      assert(failure !== undefined && !(failure instanceof ProtocolError));
      assert(failure.message.includes(message));
    });
  }

  const losses = [
    "Unexpected EOF",
    "Connection reset by peer (os error 104)",
    "connection reset",
    "peer closed connection without sending TLS close_notify",
    "No response from ping frame.",
    "Failed to send frame",
    "WebSocket timed out from inactivity",
  ];
  for (const message of losses) {
    it(`"${message}" is no error: the peer is gone`, () => {
      assertEquals(engineFailure(message), undefined);
    });
  }
});
