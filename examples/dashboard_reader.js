/**
 * The worker that has the dashboard's WebSocket. While it is slow it takes its time over each message, and
 * does nothing else meanwhile: so the browser stops reading, and the server finds that this viewer is slow.
 *
 * @module
 */
const SLOW = 2; // milliseconds for a message
const RETRY = 1_000; // milliseconds before it connects again

let isSlow = false;
// The newest update of each gauge since the page was last told.
const updates = new Map();
let count = 0;
let lastPost = 0;

self.onmessage = ({ data }) => isSlow = data.isSlow;
connect();

function connect() {
  const url = new URL("/", self.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url);
  socket.onopen = () => self.postMessage({ state: "open" });
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (Array.isArray(message)) update(message);
    else self.postMessage({ counts: message });
    if (isSlow) spend(SLOW);
  };
  socket.onclose = () => {
    self.postMessage({ state: "lost" });
    setTimeout(connect, RETRY);
  };
}

function update([gauge, time, values]) {
  count++;
  updates.set(gauge, { time, values });
  // No screen shows more.
  const now = performance.now();
  if (now - lastPost < 16) return;
  lastPost = now;
  self.postMessage({ count, updates: [...updates] });
  count = 0;
  updates.clear();
}

function spend(milliseconds) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}
