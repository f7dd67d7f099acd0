import { constants, deflateRawSync } from "node:zlib";
import { clientFrame, closeBytes, concat } from "../support/client_frame.ts";
import type { Random } from "./random.ts";

/** What a client of one connection sends, as it would rightly be. */
export interface Session {
  readonly head: Uint8Array;
  readonly frames: Uint8Array;
}

/** Makes a valid session. */
export function makeSession(random: Random): Session {
  const offer = random.pick([
    "",
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    'permessage-deflate; server_max_window_bits="10", x-other; a=b',
  ]);
  const frames: Uint8Array[] = [];
  for (let count = random.below(12); count > 0; count--) {
    frames.push(makeMessage(random, offer !== "" && random.chance(0.5)));
  }
  if (random.chance(0.6)) frames.push(clientFrame(8, makeClose(random), { key: makeKey(random) }));
  return { head: new TextEncoder().encode(makeHead(random, offer)), frames: concat(...frames) };
}

function makeHead(random: Random, offer: string): string {
  const fields = [
    "Host: 127.0.0.1",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${btoa(String.fromCharCode(...random.bytes(16)))}`,
    `Sec-WebSocket-Version: ${random.pick(["13", "13", "13", "13", "8"])}`,
  ];
  if (offer !== "") fields.push(`Sec-WebSocket-Extensions: ${offer}`);
  if (random.chance(0.3)) fields.push("Sec-WebSocket-Protocol: chat, superchat");
  if (random.chance(0.3)) fields.push("Origin: https://example.com");
  if (random.chance(0.3)) fields.push('Cookie: a=b; c="d"');
  if (random.chance(0.2)) fields.push("X-Forwarded-For: 203.0.113.7, 10.0.0.1");
  for (let count = random.below(5); count > 0; count--) {
    fields.push(`X-${random.below(1000)}: ${"v".repeat(random.below(200))}`);
  }
  const target = random.pick(["/", "/chat?room=1", "http://127.0.0.1/chat", "/%00/%f0%9f%a5%8a"]);
  return [`GET ${target} HTTP/1.1`, ...fields, "", ""].join("\r\n");
}

function makeKey(random: Random): [number, number, number, number] {
  return [random.below(256), random.below(256), random.below(256), random.below(256)];
}

function makeClose(random: Random): Uint8Array {
  return random.pick([
    new Uint8Array(0),
    closeBytes(1000),
    closeBytes(1001, "going"),
    closeBytes(4999, "é".repeat(60)),
  ]);
}

/** One message, perhaps compressed, perhaps in fragments with control frames between them. */
function makeMessage(random: Random, compressed: boolean): Uint8Array {
  if (random.chance(0.2)) {
    return clientFrame(random.pick([9, 10]), random.bytes(random.below(126)), {
      key: makeKey(random),
    });
  }
  const text = random.chance(0.5);
  let payload: Uint8Array = text
    ? new TextEncoder().encode("aé☃🥊".repeat(random.length() / 4))
    : random.bytes(random.length());
  if (compressed) {
    const flushed = deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH });
    payload = flushed.subarray(0, -4);
  }
  const pieces: Uint8Array[] = [];
  const count = random.chance(0.7) ? 1 : 1 + random.below(6);
  for (let i = 0; i < count; i++) {
    const part = payload.subarray(
      Math.floor(payload.length * i / count),
      Math.floor(payload.length * (i + 1) / count),
    );
    pieces.push(clientFrame(i > 0 ? 0 : text ? 1 : 2, part, {
      fin: i === count - 1,
      rsv: i === 0 && compressed ? 0x40 : 0,
      key: makeKey(random),
    }));
    if (i < count - 1 && random.chance(0.3)) pieces.push(clientFrame(9, "between"));
  }
  return concat(...pieces);
}
