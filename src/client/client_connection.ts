import { LeveledLogger } from "../base/logger.ts";
import { WebSocketError } from "../base/errors.ts";
import { isThenable } from "../base/thenable.ts";
import { sessionOf, type WebSocketConnection } from "../connection/connection.ts";
import { frameLog } from "../connection/frame_log.ts";
import { Handshake, HandshakeRequest } from "../connection/handshake.ts";
import { concurrency } from "../connection/option_readers.ts";
import { Liveness } from "../connection/liveness.ts";
import type { ConnectionHost } from "../connection/session.ts";
import { type OpeningAgreement, RequestHead, type ResponseHead } from "../protocol/mod.ts";
import { tidyDeadlines } from "../transport/deadlines.ts";
import type { TransportName } from "../transport/transport.ts";
import type { ByteSocket } from "../transport/tcp/byte_socket.ts";
import { Traffic } from "../transport/traffic.ts";
import { FrameChannel } from "../transport/tcp/frame_channel.ts";
import { TCP_CAPABILITIES } from "../transport/tcp/tcp_capabilities.ts";
import type { ClientSettings } from "./client_options.ts";

/** What a client's connection is made of. */
export interface ClientConnectionParts {
  readonly settings: ClientSettings;
  /** The name of the transport. */
  readonly transport: TransportName;
  readonly socket: ByteSocket;
  /** The request that was sent. */
  readonly request: RequestHead;
  readonly response: ResponseHead;
  readonly agreed: OpeningAgreement;
  /** Told of its end, and whether the application wanted it. */
  ended?(wanted: boolean): void;
}

/** Topics are a server's: a client asks its server for what it wants of them. */
const NO_TOPICS: ConnectionHost["topics"] = {
  join() {
    throw new WebSocketError(
      "ERR_UNSUPPORTED",
      "Cannot subscribe a client's connection: topics are a server's",
    );
  },
  publish() {
    const why = "Cannot publish over a client's connection: topics are a server's";
    const error = new WebSocketError("ERR_UNSUPPORTED", why);
    return Promise.resolve({ accepted: false, error });
  },
};

/** How many connections of clients there are. */
let open = 0;
const NOTHING = new Uint8Array(0);

/**
 * Makes the connection of a client whose opening handshake is done, and opens it.
 *
 * @param parts What it is made of.
 * @param rest What came behind the response.
 * @returns The connection, and whether its socket is to be read on at once.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for handlers that cannot be set.
 */
export function openClient(
  parts: ClientConnectionParts,
  rest: Uint8Array,
): { connection: WebSocketConnection; readOn: boolean } {
  const { settings, socket, request, response, agreed } = parts;
  const { native, secure } = socket;
  const connection = new settings.connectionClass({
    server: undefined,
    socket: native,
    subprotocol: settings.subprotocols,
  });
  connection.on(settings.handlers);
  const session = sessionOf(connection);
  const log = new LeveledLogger(settings);
  const host = clientHost(parts, log);
  session.attach(host, socket);
  session.head = request;
  const handshake = new Handshake(new HandshakeRequest(request, secure), () => true);
  for (const [name, value] of response) handshake.response.headers.append(name, value);
  session.knownHandshake = handshake;
  session.subprotocol = agreed.subprotocol;
  session.extensions = agreed.extensions.map((it) => it.name);
  const trace = settings.debug < 4 ? null : frameLog(log);
  const opening = {
    messages: session.delivery,
    life: session,
    opened: (channel: FrameChannel) => session.open(channel),
  };
  const { traffic } = host;
  const channelHost = { limits: settings, trace, traffic };
  const channel = new FrameChannel(socket, opening, channelHost, agreed.extensions, true);
  socket.sink = channel;
  session.delivery.awaitClaim();
  return { connection, readOn: channel.start(NOTHING, opening, rest) };
}

/** A client as its connection sees it. */
function clientHost(
  { settings, transport, ended }: ClientConnectionParts,
  log: LeveledLogger,
): ConnectionHost {
  let liveness: Liveness | undefined;
  let wanted = false;
  return {
    maxRecvSize: settings.maxRecvSize,
    maxSendSize: settings.maxSendSize,
    compressionThreshold: settings.compressionThreshold,
    highWaterMark: settings.highWaterMark,
    maxBufferedAmount: settings.maxBufferedAmount,
    maxConcurrentMessages: concurrency(settings),
    closeTimeout: settings.closeTimeout,
    transport: { name: transport, capabilities: TCP_CAPABILITIES },
    topics: NO_TOPICS,
    traffic: new Traffic(),
    slow() {},
    opened(connection) {
      open++;
      const { silenceMax, silenceCheckInterval = silenceMax / 2 } = settings;
      liveness = new Liveness(new Set([connection as WebSocketConnection]));
      liveness.schedule(silenceMax, silenceCheckInterval);
    },
    left(connection) {
      const { error } = sessionOf(connection as WebSocketConnection);
      wanted ||= error?.code !== "ERR_TOO_SLOW";
    },
    closed() {
      open--;
      liveness?.stop();
      // Without servers and other clients nobody else clears the timers.
      if (open === 0) tidyDeadlines();
      ended?.(wanted);
    },
    report(error, connection) {
      report(error, connection as WebSocketConnection, log);
    },
    warn: (message, connection) => log.warn(placeOf(connection as WebSocketConnection) + message),
  };
}

function placeOf({ ip, port }: WebSocketConnection): string {
  return `${ip}:${port}: `;
}

/** Logs an error, and tells the connection's handler; never throws. */
function report(error: Error, connection: WebSocketConnection, log: LeveledLogger): void {
  const { code } = error as WebSocketError;
  const where = placeOf(connection);
  if (code === "ERR_PROTOCOL" || code === "ERR_TOO_SLOW") log.warn(where + error.message);
  else log.error(where + error.message, error.cause);
  const failed = (cause: unknown) => log.error("An error handler failed", cause);
  try {
    const result: unknown = connection.onError?.(connection, error);
    if (isThenable(result)) result.then(undefined, failed);
  } catch (cause) {
    failed(cause);
  }
}
