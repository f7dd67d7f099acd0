// Reading heads: of frames, of each length form, and of an HTTP request that opens a WebSocket.

import { bench, do_not_optimize, run } from "mitata";
import {
  FrameHeader,
  MAX_HEADER_LENGTH,
  readFrameHeader,
} from "../../src/protocol/frames/frame.ts";
import { RequestHeadParser } from "../../src/protocol/opening/request_head_parser.ts";
import { maskedFrame } from "./masked_frame.ts";

const header = new FrameHeader();
for (const length of [5, 1024, 65_536]) {
  const bytes = maskedFrame(0x82, new Uint8Array(length)).subarray(0, MAX_HEADER_LENGTH);
  bench(`frame header, ${length} B payload`, () => {
    do_not_optimize(readFrameHeader(header, bytes, 0, bytes.length));
  });
}

const request = new TextEncoder().encode(
  "GET /chat?room=1 HTTP/1.1\r\nHost: www.example.com\r\nConnection: Upgrade\r\n" +
    "Pragma: no-cache\r\nCache-Control: no-cache\r\nUpgrade: websocket\r\n" +
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0\r\n" +
    "Origin: https://www.example.com\r\nSec-WebSocket-Version: 13\r\n" +
    "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
);
bench("request head of a browser", () => {
  const parser = new RequestHeadParser({ maxSize: 16_384, maxFields: 100 });
  do_not_optimize(parser.push(request));
});

if (import.meta.main) await run();
