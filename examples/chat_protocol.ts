/**
 * The messages of the chat example: JSON objects in text messages, told apart by `type`. Who closes
 * the connection leaves the room.
 *
 * From the page to the server:
 *
 * | type    | fields                         | means                                              |
 * | ------- | ------------------------------ | -------------------------------------------------- |
 * | `join`  | `room`, `nickname`, `session?` | enter this room, leaving the one I was in          |
 * | `say`   | `id`, `text`                   | a message for my room; `id` comes back with it     |
 *
 * From the server to the page:
 *
 * | type      | fields                                  | means                                     |
 * | --------- | --------------------------------------- | ----------------------------------------- |
 * | `welcome` | `room`, `nickname`, `members`,`history` | you are in; who is here and what was said |
 * | `joined`  | `nickname`, `at`                        | somebody came                             |
 * | `left`    | `nickname`, `at`                        | somebody went                             |
 * | `said`    | `id`, `nickname`, `text`, `at`          | a message, the sender's own included      |
 * | `error`   | `code`, `message`                       | what was refused, and why                 |
 * | `engine`  | `up`                                    | what connects the servers is away, or back |
 *
 * The server answers in order, so a page that sends its next `say` only once it has the last one
 * back (or an `error`) knows what an error is about. After the error `away` it asks again later. `session` is a secret that the page makes up: who comes back with it may take the nickname over
 * from a connection that died without saying so; that one is closed with 4000. `at` is in
 * milliseconds since 1970.
 *
 * @module
 */

/** What the server allows, in characters (UTF-16 code units) and counts. */
export const limits = {
  nickname: 32,
  room: 32,
  text: 2000,
  id: 64,
  session: 64,
  /** Messages that a newcomer sees. */
  history: 100,
  rooms: 100,
  membersPerRoom: 200,
  /** Messages that one connection may send in a row, and how fast that allowance comes back. */
  burst: 20,
  burstSeconds: 5,
} as const;

/** The close code for a connection whose nickname its own session took over. */
export const closeReplaced = 4000;

export interface Join {
  type: "join";
  room: string;
  nickname: string;
  session?: string;
}

export interface Say {
  type: "say";
  id: string;
  text: string;
}

/** What a client may send. */
export type ClientMessage = Join | Say;

export interface Said {
  type: "said";
  id: string;
  nickname: string;
  text: string;
  at: number;
}

export type ErrorCode =
  | "away"
  | "bad-message"
  | "bad-nickname"
  | "bad-room"
  | "bad-text"
  | "nickname-taken"
  | "no-room"
  | "not-joined"
  | "too-fast";

/** What the server may send. */
export type ServerMessage =
  | { type: "welcome"; room: string; nickname: string; members: string[]; history: Said[] }
  | { type: "joined" | "left"; nickname: string; at: number }
  | Said
  | { type: "error"; code: ErrorCode; message: string }
  | { type: "engine"; up: boolean };

/** A message that cannot be accepted; `code` and `message` go back to the client. */
export class ChatError extends Error {
  override readonly name = "ChatError";

  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Parses and validates what a client sent. Names come back trimmed and normalized.
 *
 * @param json One text message.
 * @returns The message, of which every field has been checked.
 * @throws {ChatError} When it is not one of the messages above, or a field is out of bounds.
 */
export function parseClientMessage(json: string): ClientMessage {
  const message = parseObject(json);
  switch (message.type) {
    case "join": {
      const room = name(message.room, "bad-room", "A room's name", limits.room);
      const nickname = name(message.nickname, "bad-nickname", "A nickname", limits.nickname);
      if (message.session === undefined) return { type: "join", room, nickname };
      return { type: "join", room, nickname, session: token(message.session, "session") };
    }
    case "say":
      return { type: "say", id: token(message.id, "id"), text: text(message.text) };
    default:
      throw new ChatError("bad-message", 'The "type" must be "join" or "say".');
  }
}

/** Two nicknames with the same key look alike, so a room holds only one of them. */
export function nicknameKey(nickname: string): string {
  return nickname.normalize("NFKC").toLowerCase();
}

function parseObject(json: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new ChatError("bad-message", "A message must be JSON.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ChatError("bad-message", "A message must be a JSON object.");
  }
  return value as Record<string, unknown>;
}

// Lone surrogates cannot be sent as UTF-8; control and direction-override characters could make a
// name look like another one.
const forbiddenInNames = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
const forbiddenInText = /[\p{Cs}]|(?![\n\t])\p{Cc}/u;
const visible = /[\p{L}\p{N}\p{P}\p{S}]/u;

function name(value: unknown, code: ErrorCode, what: string, max: number): string {
  if (typeof value !== "string") throw new ChatError(code, `${what} must be a string.`);
  const clean = value.normalize("NFC").replace(/\s+/g, " ").trim();
  if (!visible.test(clean) || clean.length > max) {
    throw new ChatError(code, `${what} has 1 to ${max} characters.`);
  }
  if (forbiddenInNames.test(clean)) {
    throw new ChatError(code, `${what} cannot hold control characters.`);
  }
  return clean;
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new ChatError("bad-text", "The text must be a string.");
  const clean = value.replace(/\r\n?/g, "\n").trim();
  if (clean === "" || clean.length > limits.text) {
    throw new ChatError("bad-text", `A message has 1 to ${limits.text} characters.`);
  }
  if (forbiddenInText.test(clean)) {
    throw new ChatError("bad-text", "A message cannot hold control characters.");
  }
  return clean;
}

function token(value: unknown, field: "id" | "session"): string {
  if (typeof value === "string" && /^[\w-]+$/.test(value) && value.length <= limits[field]) {
    return value;
  }
  throw new ChatError(
    "bad-message",
    `The "${field}" must be 1 to ${limits[field]} letters, digits, "-" or "_".`,
  );
}
