/** What a field holds: a scalar, data that is carried as it is, or a message. */
export type Kind = "string" | "bytes" | "bool" | "int32" | "uint32" | "uint64" | Schema;

/** One field of a message. */
export interface Field {
  readonly name: string;
  /** Its number in protobuf. */
  readonly number: number;
  readonly kind: Kind;
  /** One value, many, or many by a key that is a string. */
  readonly shape: "one" | "many" | "map";
  /** Whether JSON tells it also when it is empty. */
  readonly always: boolean;
}

/** The most entries of a map that is read: beside the data, only these hold much more memory than bytes came. */
export const MAX_ENTRIES = 16_384;

/** The fields of one message of the protocol; both codecs are made from these. */
export class Schema {
  readonly fields: readonly Field[];
  readonly byName: ReadonlyMap<string, Field>;
  readonly byNumber: ReadonlyMap<number, Field>;

  /** @param fields The fields by name. */
  constructor(fields: Readonly<Record<string, Omit<Field, "name">>>) {
    this.fields = Object.entries(fields).map(([name, field]) => ({ name, ...field }));
    this.byName = new Map(this.fields.map((it) => [it.name, it]));
    this.byNumber = new Map(this.fields.map((it) => [it.number, it]));
  }
}

type Definition = Omit<Field, "name">;

function one(number: number, kind: Kind): Definition {
  return { number, kind, shape: "one", always: false };
}

function always(number: number, kind: Kind, shape: Field["shape"] = "one"): Definition {
  return { number, kind, shape, always: true };
}

function many(number: number, kind: Kind): Definition {
  return { number, kind, shape: "many", always: false };
}

function map(number: number, kind: Kind): Definition {
  return { number, kind, shape: "map", always: false };
}

const NOTHING = new Schema({});
const TOPIC = new Schema({ channel: one(1, "string") });
const TOKEN = new Schema({ token: one(1, "string") });
const DATA = new Schema({ data: one(1, "bytes") });
const POSITION = new Schema({ offset: one(1, "uint64"), epoch: one(2, "string") });
const TTL = new Schema({ expires: one(1, "bool"), ttl: one(2, "uint32") });

const SUBSCRIBE_REQUEST = new Schema({
  channel: one(1, "string"),
  token: one(2, "string"),
  recover: one(3, "bool"),
  epoch: one(6, "string"),
  offset: one(7, "uint64"),
  data: one(8, "bytes"),
  join_leave: one(11, "bool"),
  tf: one(13, "bytes"),
  flag: one(14, "uint64"),
  type: one(15, "int32"),
});

/** A message of a client. */
export const COMMAND: Schema = new Schema({
  id: one(1, "uint32"),
  connect: one(
    4,
    new Schema({
      token: one(1, "string"),
      data: one(2, "bytes"),
      subs: map(3, SUBSCRIBE_REQUEST),
      name: one(4, "string"),
      version: one(5, "string"),
      headers: map(6, "string"),
    }),
  ),
  subscribe: one(5, SUBSCRIBE_REQUEST),
  unsubscribe: one(6, TOPIC),
  publish: one(7, new Schema({ channel: one(1, "string"), data: one(2, "bytes") })),
  presence: one(8, TOPIC),
  presence_stats: one(9, TOPIC),
  history: one(
    10,
    new Schema({
      channel: one(1, "string"),
      limit: one(7, "int32"),
      since: one(8, POSITION),
      reverse: one(9, "bool"),
    }),
  ),
  ping: one(11, NOTHING),
  send: one(12, DATA),
  rpc: one(13, new Schema({ data: one(1, "bytes"), method: one(2, "string") })),
  refresh: one(14, TOKEN),
  sub_refresh: one(15, new Schema({ channel: one(1, "string"), token: one(2, "string") })),
});

const CLIENT_INFO = new Schema({
  user: always(1, "string"),
  client: always(2, "string"),
  conn_info: one(3, "bytes"),
  chan_info: one(4, "bytes"),
});

const PUBLICATION = new Schema({
  data: one(4, "bytes"),
  info: one(5, CLIENT_INFO),
  offset: one(6, "uint64"),
  tags: map(7, "string"),
  time: one(9, "uint64"),
});

const SUBSCRIBE_RESULT = new Schema({
  expires: one(1, "bool"),
  ttl: one(2, "uint32"),
  recoverable: one(3, "bool"),
  epoch: one(6, "string"),
  publications: many(7, PUBLICATION),
  recovered: one(8, "bool"),
  offset: one(9, "uint64"),
  positioned: one(10, "bool"),
  data: one(11, "bytes"),
  was_recovering: one(12, "bool"),
});

const PRESENCE_CHANGE = new Schema({ info: one(1, CLIENT_INFO) });

const PUSH = new Schema({
  channel: one(2, "string"),
  pub: one(4, PUBLICATION),
  join: one(5, PRESENCE_CHANGE),
  leave: one(6, PRESENCE_CHANGE),
  unsubscribe: one(7, new Schema({ code: one(2, "uint32"), reason: one(3, "string") })),
  message: one(8, DATA),
  subscribe: one(
    9,
    new Schema({
      recoverable: one(1, "bool"),
      epoch: one(4, "string"),
      offset: one(5, "uint64"),
      positioned: one(6, "bool"),
      data: one(7, "bytes"),
    }),
  ),
  refresh: one(12, TTL),
});

/** A message of a server. */
export const REPLY: Schema = new Schema({
  id: one(1, "uint32"),
  error: one(
    2,
    new Schema({ code: one(1, "uint32"), message: one(2, "string"), temporary: one(3, "bool") }),
  ),
  push: one(4, PUSH),
  connect: one(
    5,
    new Schema({
      client: one(1, "string"),
      version: one(2, "string"),
      expires: one(3, "bool"),
      ttl: one(4, "uint32"),
      data: one(5, "bytes"),
      subs: map(6, SUBSCRIBE_RESULT),
      ping: one(7, "uint32"),
      pong: one(8, "bool"),
    }),
  ),
  subscribe: one(6, SUBSCRIBE_RESULT),
  unsubscribe: one(7, NOTHING),
  publish: one(8, NOTHING),
  presence: one(9, new Schema({ presence: always(1, CLIENT_INFO, "map") })),
  presence_stats: one(
    10,
    new Schema({ num_clients: always(1, "uint32"), num_users: always(2, "uint32") }),
  ),
  history: one(
    11,
    new Schema({
      publications: always(1, PUBLICATION, "many"),
      epoch: always(2, "string"),
      offset: always(3, "uint64"),
    }),
  ),
  rpc: one(13, DATA),
  refresh: one(
    14,
    new Schema({
      client: one(1, "string"),
      version: one(2, "string"),
      expires: one(3, "bool"),
      ttl: one(4, "uint32"),
    }),
  ),
  sub_refresh: one(15, TTL),
});
