// What the driver asks of one load process, and what that process answers: JSON both ways.

export type MessageType = "text" | "binary";

/** What each load process is told whatever it measures. */
interface Target {
  port: number;
  /** Process id of the server or client, whose processor time and memory are read from /proc. */
  pid: number;
  /**
   * "tcp": the server sends back every byte it gets and knows nothing of WebSocket. "client": what is measured is a
   * client; the port is where it is told to open connections to the load process. "socket.io": it speaks the protocol of
   * socket.io over WebSocket.
   */
  protocol: "websocket" | "tcp" | "client" | "socket.io";
  connections: number;
  /** Payload of one message. */
  bytes: number;
  type: MessageType;
  deflate: boolean;
  /** Seconds of load before anything is counted. */
  warmup: number;
  /** Seconds that are counted. */
  seconds: number;
}

/** Closed loop: each reply is answered with the next message. */
export interface EchoJob extends Target {
  kind: "echo";
  /** Messages in flight on each connection; with `rotate`, on all of them together. */
  inFlight: number;
  /** Send each next message on the next connection in turn instead of where the reply came. */
  rotate: boolean;
  /** In how many processes the server is to run, where that is asked for; the figures are those of all. */
  processes?: number;
}

/** Open loop: messages leave on time whether or not replies have come. */
export interface PacedJob extends Target {
  kind: "paced";
  /** Messages a second. */
  rate: number;
}

/** One connection sends, all receive. */
export interface BroadcastJob extends Target {
  kind: "broadcast";
  /** Broadcasts in flight. */
  inFlight: number;
}

/** Rooms: what one member says goes to all members of the room, the speaker among them. */
export interface RoomsJob extends Target {
  kind: "rooms";
  /** Connections of a room; they are counted off, so that there are `connections / members` rooms. */
  members: number;
  /** How many members of each room speak. */
  talkers: number;
  /** Topics that each member of a room is subscribed to, and that are spoken to in turn. */
  topics: number;
  /** Messages of each speaker in flight. */
  inFlight: number;
}

/** Connections that do nothing, for what each costs in memory. */
export interface IdleJob extends Target {
  kind: "idle";
}

/** Opening handshakes, `connections` at a time. */
export interface ConnectJob extends Target {
  kind: "connect";
  /** How many are open when all are closed and the next wave begins. */
  wave: number;
}

/** Publications of one server to the subscribers of another one, by way of Redis or NATS. */
export interface EngineJob extends Target {
  kind: "engine";
  /** Where the publishing server takes orders, its process id, and that of Redis or NATS. */
  orders: number;
  publisher: number;
  engine: number;
  /** Publications of one turn of the publishing server. */
  perTurn: number;
  /** Publications in flight; with a rate, any number is. */
  inFlight: number;
  /** Publications a second; undefined for as many as there can be. */
  rate?: number;
}

export type Job = EchoJob | PacedJob | BroadcastJob | RoomsJob | IdleJob | ConnectJob | EngineJob;

/** Figures of one run. Those that the kind of job does not give, or the system does not tell, are absent. */
export interface Figures {
  /** Messages (deliveries for a broadcast and in rooms, handshakes, publications by way of an engine) a second. */
  perSecond?: number;
  /** Latency in seconds. */
  p50?: number;
  p99?: number;
  /** Processor seconds of the server a message, user and system together. */
  cpuPerMessage?: number;
  cpuPerByte?: number;
  /** Messages a second of the server's processor time. */
  perCpuSecond?: number;
  /** Part of the measured time that the server's process was on a processor, 1 for one core. */
  serverBusy?: number;
  /** The same of the load process, of Redis or NATS, and of everything else on the machine. */
  loadBusy?: number;
  engineBusy?: number;
  othersBusy?: number;
  /** Peak resident memory of the server in bytes. */
  peakMemory?: number;
  /** Bytes of resident memory that each idle connection added to the server. */
  bytesPerConnection?: number;
  /** Messages that were counted over the whole run, and how many bytes of replies were compared. */
  counted?: number;
  compared?: number;
}
