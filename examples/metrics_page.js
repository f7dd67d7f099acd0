/** Shows what the server tells of itself, and comes back when it was away. */
const status = document.querySelector("#status");
const counts = document.querySelector("#counts");
const numbers = new Intl.NumberFormat("en");
const rows = new Map();
let before = {};

connect();

function connect() {
  const socket = new WebSocket(new URL(".", location.href.replace(/^http/, "ws")));
  socket.onopen = () => status.textContent = "Connected";
  socket.onmessage = ({ data }) => show(JSON.parse(data));
  socket.onclose = () => {
    status.textContent = "The server is away";
    before = {};
    setTimeout(connect, 2000);
  };
}

/** Shows each count, and how much it has grown since a second ago. */
function show({ closed, ...statistics }) {
  for (const [code, count] of Object.entries(closed)) statistics[`closed with ${code}`] = count;
  for (const [name, count] of Object.entries(statistics)) {
    const [, total, growth] = rowOf(name).cells;
    total.textContent = numbers.format(count);
    growth.textContent = name in before ? numbers.format(count - before[name]) : "";
  }
  before = statistics;
}

function rowOf(name) {
  if (!rows.has(name)) {
    const row = counts.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name.replace(/[A-Z]/g, (it) => ` ${it.toLowerCase()}`);
    row.append(head);
    row.insertCell();
    row.insertCell();
    rows.set(name, row);
  }
  return rows.get(name);
}
