/**
 * The protocol core of Duet: RFC 6455 and RFC 7692 for both sides, without any I/O. Bytes go
 * in and messages come out, messages go in and bytes come out.
 *
 * @example Echo, whatever carries the bytes
 * ```ts
 * import { Opcode, OutputQueue, Receiver, Sender } from "@duet/websocket/protocol";
 *
 * const output = new OutputQueue();
 * const sender = new Sender(output);
 * const receiver = new Receiver({
 *   onText: (data) => sender.text(data),
 *   onBinary: (data) => sender.binary(data),
 *   onPing: (payload) => sender.control(Opcode.PONG, payload),
 *   onPong: () => {},
 *   onClose: (code) => console.log("closed with", code),
 *   onFailure: (error) => console.log("fail with", error.closeCode),
 * }, { maxMessageSize: 1 << 20 });
 *
 * receiver.push(Uint8Array.of(0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58));
 * console.assert(output.next()?.join() === "129,5,72,101,108,108,111");
 * ```
 *
 * @module
 */
export * from "./deflate/permessage_deflate.ts";
export * from "./frames/close.ts";
export * from "./frames/extension.ts";
export * from "./frames/frame.ts";
export * from "./frames/mask.ts";
export * from "./frames/masking_keys.ts";
export * from "./frames/output_queue.ts";
export * from "./frames/protocol_error.ts";
export * from "./frames/receiver.ts";
export * from "./frames/receiver_options.ts";
export * from "./frames/sender.ts";
export * from "./frames/sharing_session.ts";
export * from "./frames/utf8.ts";
export * from "./opening/client_handshake.ts";
export * from "./opening/forwarded.ts";
export * from "./opening/handshake.ts";
export * from "./opening/host_field.ts";
export * from "./opening/http_error.ts";
export * from "./opening/latin1.ts";
export * from "./opening/message_head.ts";
export * from "./opening/negotiation.ts";
export * from "./opening/proxy_protocol.ts";
export * from "./opening/request_head.ts";
export * from "./opening/request_head_parser.ts";
export * from "./opening/response_body.ts";
export * from "./opening/response_head.ts";
export * from "./opening/response_head_parser.ts";
export * from "./opening/token.ts";
