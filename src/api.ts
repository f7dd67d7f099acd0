/**
 * What every entry point of the package exports.
 *
 * @module
 */
export { ConfiguredServer, type ServerEvents } from "./configured_server.ts";
export { type ConnectionInit, type PingAnswers, WebSocketConnection } from "./connection.ts";
export { ConnectionEvents, type ConnectionHandlers } from "./connection_events.ts";
export { ConnectionList } from "./connection_list.ts";
export { WebSocketError, type WebSocketErrorCode } from "./errors.ts";
export { Handshake, HandshakeRequest, HandshakeResponse, type Rejection } from "./handshake.ts";
export type { DebugLevel, Logger } from "./logger.ts";
export type {
  AcceptInfo,
  BunWebSocketOptions,
  ConnectionClass,
  ExtensionLike,
  ReadableCallback,
  ServerHandlers,
  VersionLike,
  WebSocketServerOptions,
  WritableCallback,
} from "./options.ts";
export {
  CloseCode,
  type Extension,
  type ExtensionOffer,
  type ExtensionSession,
  PermessageDeflate,
  permessageDeflate,
  type PermessageDeflateOptions,
  ProtocolError,
} from "./protocol/mod.ts";
export { WebSocketServer } from "./server.ts";
export type { Address, Capabilities, RequestInfo, TransportName } from "./transport/transport.ts";
export { WebSocketVersion } from "./version.ts";
export type { ReadableSource, WatchedWriter, WritableSink } from "./watch.ts";
export { WatchingServer } from "./watching_server.ts";
