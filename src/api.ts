/**
 * What every entry point of the package exports.
 *
 * @module
 */
export type { EventsOf } from "./server/handlers.ts";
export type { PreparedUpgrade } from "./server/prepared_upgrade.ts";
export type { PropertiesOf } from "./server/properties.ts";
export { WebSocketConnection } from "./connection/connection.ts";
export type { AnyServerOf } from "./connection/any_server.ts";
export type { ConnectionContext } from "./connection/context.ts";
export type { ConnectionInit, PingAnswers } from "./connection/connection_init.ts";
export type {
  ConnectionEvents,
  ConnectionHandlers,
  HandlerProperties,
} from "./connection/handlers.ts";
export { ConnectionList } from "./server/connection_list.ts";
export type { BinaryData } from "./base/bytes.ts";
export { WebSocketError, type WebSocketErrorCode } from "./base/errors.ts";
export {
  Handshake,
  HandshakeRequest,
  HandshakeResponse,
  type Rejection,
} from "./connection/handshake.ts";
export type {
  Position,
  PublishOptions,
  PublishResult,
  SubscribeOptions,
  SubscribeResult,
  TopicSubscription,
} from "./connection/subscribing.ts";
export type { LimitMembers } from "./connection/limit_members.ts";
export { ClosedError } from "./connection/closed_error.ts";
export type { StreamMembers } from "./connection/message_streams.ts";
export type { TopicMembers } from "./connection/topic_members.ts";
export type { Routed, RouteOptions } from "./server/route_options.ts";
export type { AnyRouteParams, RouteParams } from "./server/route_params.ts";
export type { ServerStreamMembers } from "./server/stream_members.ts";
export type { ServerTopicMembers } from "./server/topic_members.ts";
export type { ServerPublishOptions } from "./server/topics.ts";
export type { EngineMessage, ServerEngine } from "./server/engine_status.ts";
export { type ServerTopic, TopicList } from "./server/topic_list.ts";
export type {
  Awaitable,
  Engine,
  EngineEvents,
  EngineState,
  EngineTopic,
  HistoryPage,
  HistoryRange,
  HistorySettings,
  Member,
  MemberCount,
  Message,
  Place,
  PresenceEntry,
  Publication,
} from "./topics/engine.ts";
export { MemoryEngine, type MemoryEngineOptions } from "./topics/memory_engine.ts";
export type { SlowPolicy, TopicSettings, TopicsOption } from "./topics/topic_settings.ts";
export type { TopicCounts } from "./topics/topic_host.ts";
export type { StreamCounts } from "./topics/follower.ts";
export type { DebugLevel, Logger } from "./base/logger.ts";
export type { ConnectionClass, ExtensionLike, MessageOrder } from "./connection/option_readers.ts";
export type {
  BunWebSocketOptions,
  HandlersOf,
  OptionsOf,
  ReadableCallbackOf,
  VersionLike,
  WritableCallbackOf,
} from "./server/options.ts";
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
export type { DiagnosticEvents } from "./server/diagnostics.ts";
export type { ServerStatistics } from "./server/statistics.ts";
export type { ShutdownOptions } from "./server/leaving.ts";
export {
  type AcceptInfo,
  type AnyServer,
  type ReadableCallback,
  type ServerEvents,
  type ServerHandlers,
  WebSocketServer,
  type WebSocketServerOptions,
  type WritableCallback,
} from "./server/server.ts";
export type { ListenAddress } from "./server/listen_option.ts";
export type { TlsOptions } from "./transport/tls_options.ts";
export type {
  Address,
  Capabilities,
  ListeningAddress,
  RequestInfo,
  TransportName,
} from "./transport/transport.ts";
export { WebSocketVersion } from "./connection/version.ts";
export type { ReadableSource, WatchedWriter, WritableSink } from "./streams/watch.ts";
