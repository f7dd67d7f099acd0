/**
 * What the visitor of the chat sees and does. Everything that comes from people goes into the page
 * through `textContent`, never as HTML.
 *
 * @module
 */
import { ChatConnection, MAX_WAITING, randomToken } from "./chat_connection.js";

const MAX_LINES = 500; // lines kept on the page
const COPY_LABEL = "Copy room link";

const $ = (id) => document.getElementById(id);
const log = $("log"), scroller = $("scroller"), box = $("text");

// Of the tab, not of the browser, so that two tabs can be two people. A browser may forbid it: then
// a reload asks again.
const store = {
  get(key) {
    try {
      return sessionStorage.getItem(key) ?? "";
    } catch {
      return "";
    }
  },
  set(key, value) {
    try {
      sessionStorage.setItem(key, value);
    } catch {
      return;
    }
  },
};

const session = store.get("session") || randomToken();
store.set("session", session);

const members = new Set();
const seen = new Set(); // keys of the messages in the log, so that history does not repeat them
const unsent = new Map(); // id -> its line below the log
let shownRoom = null; // the name in the title
let lastSpeaker = null;
let followsEnd = true; // the visitor has not scrolled up
let unread = 0;
let isApart = false; // what connects the servers is away

const url = new URL(location.pathname, location.href);
url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
const chat = new ChatConnection(url, session, {
  changed: showState,
  welcome(message) {
    store.set("nickname", message.nickname);
    history.replaceState(null, "", "#" + encodeURIComponent(message.room));
    showRoom(message.room);
    members.clear();
    for (const nickname of message.members) members.add(nickname);
    showMembers();
    log.setAttribute("aria-busy", "true"); // read out what comes from now on, not the history
    for (const said of message.history) showSaid(said);
    log.removeAttribute("aria-busy");
  },
  joined({ nickname }) {
    members.add(nickname);
    showMembers();
    showNote(`${nickname} joined`);
  },
  left({ nickname }) {
    members.delete(nickname);
    showMembers();
    showNote(`${nickname} left`);
  },
  said: showSaid,
  engine({ up }) {
    isApart = !up;
    showState();
  },
  sent(id) {
    unsent.get(id).remove();
    unsent.delete(id);
  },
  unsent(id, reason) {
    unsent.get(id).classList.add("refused");
    unsent.get(id).querySelector(".state").textContent = `Not sent. ${reason}`;
    unsent.delete(id);
  },
  shut(code, reason) {
    const isAboutRoom = code === "bad-room" || code === "no-room";
    if (code === "replaced") showDoor("You have joined from another tab.");
    else showDoor(reason, isAboutRoom ? "room-input" : "nickname-input");
  },
});

/* ---- the messages ---- */

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function avatar(nickname) {
  const made = element("span", "avatar", Array.from(nickname)[0].toUpperCase());
  let hue = 0;
  for (const character of nickname) hue = (hue * 31 + character.codePointAt(0)) % 360;
  made.style.setProperty("--hue", hue);
  made.setAttribute("aria-hidden", "true");
  return made;
}

function timeOf(at) {
  const date = new Date(at);
  const clock = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const made = element("time", "", clock);
  made.dateTime = date.toISOString();
  made.title = date.toLocaleString();
  return made;
}

function showSaid({ id, nickname, text, at }) {
  const key = `${id} ${nickname}`;
  if (seen.has(key)) return;
  seen.add(key);
  const mine = nickname === chat.nickname;
  const first = lastSpeaker !== nickname;
  const line = element("li", `line${mine ? " mine" : ""}${first ? " first" : ""}`);
  line.dataset.key = key;
  const who = element("p", first ? "who" : "who unseen");
  who.append(element("b", mine ? "unseen" : "", mine ? "You" : nickname), " ", timeOf(at));
  if (first && !mine) line.append(avatar(nickname));
  line.append(who, element("p", "text", text));
  lastSpeaker = nickname;
  showLine(line, mine);
  if (document.hidden) showTitle(unread + 1);
}

function showNote(text) {
  lastSpeaker = null;
  showLine(element("li", "note", text), false);
}

function showLine(line, mine) {
  log.append(line);
  if (log.children.length > MAX_LINES) {
    seen.delete(log.firstElementChild.dataset.key);
    log.firstElementChild.remove();
  }
  if (followsEnd || mine) toEnd();
  else $("newer").hidden = false;
}

function showUnsent(id, text) {
  const line = element("li", "line mine");
  line.append(element("p", "text", text), element("p", "state"));
  unsent.set(id, line);
  $("unsent").append(line);
  showUnsentState();
  toEnd();
}

function showUnsentState() {
  const sending = isApart ? "Waiting for the other servers" : "Sending…";
  const text = chat.state === "in" ? sending : "Waiting for the connection";
  for (const line of unsent.values()) line.querySelector(".state").textContent = text;
}

function clearLog() {
  log.replaceChildren();
  $("unsent").replaceChildren();
  seen.clear();
  unsent.clear();
  lastSpeaker = null;
}

function toEnd() {
  followsEnd = true;
  scroller.scrollTop = scroller.scrollHeight;
  $("newer").hidden = true;
}

/* ---- what is round them ---- */

function showMembers() {
  const isMe = (nickname) => nickname === chat.nickname;
  const sorted = [...members].sort((a, b) => isMe(b) - isMe(a) || a.localeCompare(b));
  $("people-title").textContent = `Here now: ${members.size}`;
  $("people-toggle").textContent = members.size === 1 ? "1 person" : `${members.size} people`;
  $("members").replaceChildren(...sorted.map((nickname) => {
    const item = element("li", "");
    item.append(avatar(nickname), element("bdi", "", nickname));
    if (isMe(nickname)) item.append(element("small", "", "you"));
    return item;
  }));
}

function showState() {
  const isIn = chat.state === "in";
  $("room").toggleAttribute("data-offline", !isIn);
  const connected = isApart ? "The other servers are away…" : "Connected";
  $("status").textContent = isIn ? connected : "Reconnecting…";
  $("banner").hidden = isIn || !chat.isRetrying;
  showCountdown();
  showUnsentState();
  if ($("door").hidden || chat.state === "off") return;
  showDoorNote(chat.isRetrying ? "The server cannot be reached. Trying again…" : "Connecting…");
}

function showCountdown() {
  const seconds = Math.ceil((chat.retryAt - Date.now()) / 1000);
  const next = seconds > 0 ? `Next try in ${seconds} s.` : "Trying now…";
  $("banner-text").textContent = `Connection lost. ${next}`;
}

function showTitle(count) {
  unread = count;
  const name = shownRoom === null ? "Duet chat" : `#${shownRoom} – Duet chat`;
  document.title = unread > 0 ? `(${unread}) ${name}` : name;
}

function showRoom(name) {
  shownRoom = name;
  $("room-name").textContent = `#${name}`;
  showTitle(unread);
  const wasHidden = $("room").hidden;
  $("door").hidden = true;
  $("room").hidden = false;
  // A touch keyboard would hide the messages: let the visitor ask for it.
  if (wasHidden && matchMedia("(pointer: fine)").matches) box.focus();
}

function showDoor(note = "", field = "") {
  shownRoom = null;
  store.set("isIn", "");
  $("room").hidden = true;
  $("door").hidden = false;
  $("room-input").value = chat.room || roomOfAddress() || "lobby";
  $("nickname-input").value = chat.nickname || store.get("nickname");
  showDoorNote(note, field);
  showTitle(0);
  const target = $(field || "nickname-input");
  target.focus();
  target.select();
}

function showDoorNote(text, field = "") {
  $("door-note").textContent = text;
  $("door-note").toggleAttribute("data-error", field !== "");
  for (const id of ["nickname-input", "room-input"]) {
    $(id).setAttribute("aria-invalid", String(id === field));
  }
}

/* ---- what the visitor does ---- */

function join(room, nickname) {
  if (room !== chat.room) clearLog();
  store.set("isIn", "yes");
  chat.join(room, nickname);
}

$("door").addEventListener("submit", (event) => {
  event.preventDefault();
  const nickname = $("nickname-input"), room = $("room-input");
  const empty = [nickname, room].find((input) => input.value.trim() === "");
  if (empty === undefined) return join(room.value.trim(), nickname.value.trim());
  showDoorNote(empty === room ? "Give the room a name." : "Choose a nickname.", empty.id);
  empty.focus();
});

$("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  box.focus();
  $("hint").textContent = "";
  const text = box.value.trim();
  if (text === "") return;
  const id = chat.say(text);
  if (id === undefined) {
    $("hint").textContent = `${MAX_WAITING} messages are waiting already. Send this one later.`;
    return;
  }
  showUnsent(id, text);
  box.value = "";
  fitBox();
});

function fitBox() {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + 2}px`; // and its border
}
box.addEventListener("input", fitBox);
box.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("compose").requestSubmit();
});

$("leave").addEventListener("click", () => {
  chat.leave();
  clearLog();
  showDoor();
});

$("retry").addEventListener("click", () => chat.connect());
addEventListener("online", () => {
  if (chat.state === "lost") chat.connect();
});
setInterval(() => {
  if (chat.state === "lost") showCountdown();
}, 500);

// Browsers have a clipboard for https and localhost only.
$("copy").hidden = navigator.clipboard === undefined;
$("copy").textContent = COPY_LABEL;
$("copy").addEventListener("click", async () => {
  const copied = navigator.clipboard.writeText(location.href);
  $("copy").textContent = await copied.then(() => "Copied", () => "Not allowed here");
  setTimeout(() => $("copy").textContent = COPY_LABEL, 2000);
});

$("people-toggle").addEventListener("click", () => {
  const isOpen = $("people").toggleAttribute("data-open");
  $("people-toggle").setAttribute("aria-expanded", String(isOpen));
});

$("newer").addEventListener("click", toEnd);
scroller.addEventListener("scroll", () => {
  followsEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;
  if (followsEnd) $("newer").hidden = true;
});
new ResizeObserver(() => {
  if (followsEnd) toEnd(); // a touch keyboard or the banner took room away
}).observe(scroller);

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) showTitle(0);
});

function roomOfAddress() {
  const hash = location.hash.slice(1);
  try {
    return decodeURIComponent(hash).trim();
  } catch {
    return hash.trim();
  }
}
addEventListener("hashchange", () => {
  const room = roomOfAddress();
  if (room === "" || room === chat.room) return;
  if ($("door").hidden) join(room, chat.nickname);
  else $("room-input").value = room;
});

const isReload = store.get("isIn") === "yes" && roomOfAddress() !== "" && store.get("nickname");
showDoor();
if (isReload) join(roomOfAddress(), store.get("nickname"));
