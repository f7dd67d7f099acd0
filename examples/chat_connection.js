/**
 * The page's side of the chat protocol (see chat_protocol.ts): one WebSocket that comes back by
 * itself, and the messages that wait for it.
 *
 * @module
 */
const FIRST_DELAY = 500; // milliseconds before the first retry; doubles every time
const LONGEST_DELAY = 10_000;
const ANSWER_TIMEOUT = 10_000; // a server that owes an answer for longer is taken for lost
const SLOW_DOWN = 1_000; // how long to wait after "too-fast"
const REPLACED = 4000; // the close code when our session joined from another tab

export const MAX_WAITING = 50; // messages kept until the server has them

/** A name that nobody else will make up; it needs no secure context, as `randomUUID` would. */
export function randomToken() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Calls back through `events`: `changed()` when `state` or `retryAt` is another,
 * `welcome(message)`, `joined(message)`, `left(message)`, `said(message)`, `sent(id)` when the
 * server has a message of ours, `unsent(id, reason)` when it refuses one, `shut(code, reason)` when
 * it refuses us and this connection gives up, `engine(message)` when what connects the servers is away or back.
 */
export class ChatConnection {
  /** `"off"`, `"connecting"`, `"in"` (a room), or `"lost"` (until the next try at `retryAt`). */
  state = "off";
  retryAt = 0;
  nickname = "";
  room = "";
  #url;
  #session;
  #events;
  #socket = null;
  #waiting = []; // { id, text }; the first one may be on its way
  #isOnItsWay = false;
  #attempt = 0;
  #retryTimer;
  #answerTimer;

  constructor(url, session, events) {
    this.#url = url;
    this.#session = session;
    this.#events = events;
  }

  /** Whether the connection broke since it last worked. */
  get isRetrying() {
    return this.#attempt > 0;
  }

  /** Joins a room, and joins it again whenever the connection was lost. */
  join(room, nickname) {
    if (room !== this.room) this.#waiting.length = 0;
    this.room = room;
    this.nickname = nickname;
    this.#attempt = 0;
    this.connect();
  }

  leave() {
    this.#waiting.length = 0;
    this.#drop("off");
  }

  /** Tries now instead of at `retryAt`. */
  connect() {
    this.#drop("connecting");
    const socket = this.#socket = new WebSocket(this.#url);
    socket.onopen = () => this.#sendJoin(socket);
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket) this.#receive(JSON.parse(data));
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      if (code === REPLACED) this.#shut("replaced", reason);
      else this.#retryLater();
    };
    this.#expectAnswer();
  }

  /** Sends a message, now or once connected. Its id is returned, or undefined when too many wait. */
  say(text) {
    if (this.#waiting.length >= MAX_WAITING) return undefined;
    const id = randomToken();
    this.#waiting.push({ id, text });
    this.#sendNext();
    return id;
  }

  #drop(state, retryAt = 0) {
    const socket = this.#socket;
    this.#socket = null;
    this.#isOnItsWay = false;
    clearTimeout(this.#answerTimer);
    clearTimeout(this.#retryTimer);
    socket?.close();
    this.#change(state, retryAt);
  }

  #shut(code, reason) {
    this.#drop("off");
    this.#events.shut(code, reason);
  }

  #retryLater() {
    const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempt++);
    // Half of the delay is random, so that many pages do not come back all at once.
    const spread = delay * (0.5 + Math.random() / 2);
    this.#drop("lost", Date.now() + spread);
    this.#retryTimer = setTimeout(() => this.connect(), spread);
  }

  #change(state, retryAt = 0) {
    this.state = state;
    this.retryAt = retryAt;
    this.#events.changed();
  }

  #expectAnswer() {
    clearTimeout(this.#answerTimer);
    this.#answerTimer = setTimeout(() => this.#retryLater(), ANSWER_TIMEOUT);
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
    this.#expectAnswer();
  }

  #sendJoin(socket) {
    if (this.#socket !== socket) return;
    const { room, nickname } = this;
    this.#send({ type: "join", room, nickname, session: this.#session });
  }

  // One at a time, so that an error is known to be about that one, and none is sent twice: after a
  // lost connection the room's history tells whether it arrived.
  #sendNext() {
    if (this.state !== "in" || this.#isOnItsWay || this.#waiting.length === 0) return;
    this.#isOnItsWay = true;
    this.#send({ type: "say", ...this.#waiting[0] });
  }

  #receive(message) {
    switch (message.type) {
      case "welcome":
        return this.#welcome(message);
      case "said":
        this.#settle(message);
        return this.#events.said(message);
      case "error":
        return this.#refused(message);
      case "engine":
      case "joined":
      case "left":
        return this.#events[message.type](message);
    }
  }

  #welcome(message) {
    clearTimeout(this.#answerTimer);
    this.#attempt = 0;
    this.room = message.room;
    this.nickname = message.nickname;
    this.#change("in");
    for (const said of message.history) this.#settle(said);
    this.#events.welcome(message);
    this.#sendNext();
  }

  #settle({ id, nickname }) {
    if (nickname !== this.nickname || this.#waiting[0]?.id !== id) return;
    this.#waiting.shift();
    this.#events.sent(id);
    if (!this.#isOnItsWay) return; // it had arrived before the connection was lost
    clearTimeout(this.#answerTimer);
    this.#isOnItsWay = false;
    this.#sendNext();
  }

  #refused({ code, message }) {
    clearTimeout(this.#answerTimer);
    const wasOnItsWay = this.#isOnItsWay;
    this.#isOnItsWay = false;
    if (code === "too-fast" || code === "away") {
      const socket = this.#socket;
      setTimeout(() => {
        if (this.#socket !== socket) return;
        if (this.state === "in") this.#sendNext();
        else this.#sendJoin(socket);
      }, SLOW_DOWN);
    } else if (wasOnItsWay) {
      this.#events.unsent(this.#waiting.shift().id, message);
      this.#sendNext();
    } else {
      this.#shut(code, message);
    }
  }
}
