/**
 * The dashboard's page: what the worker reads it draws and counts.
 *
 * @module
 */
import { Plot } from "./dashboard_plot.js";

const element = (id) => document.getElementById(id);
const show = (id, value) => element(id).value = Math.round(value).toLocaleString("en");

const plot = new Plot(element("plot"));
let read = 0;
let newest = 0;
// The clocks of two machines differ: what takes least counts as now.
let leastAge = Infinity;

const worker = new Worker(ownScript("dashboard_reader.js"));
worker.onmessage = ({ data }) => {
  if (data.state !== undefined) showState(data.state);
  if (data.counts !== undefined) showCounts(data.counts);
  if (data.updates !== undefined) {
    read += data.count;
    for (const [gauge, { time, values }] of data.updates) {
      plot.set(gauge, values);
      newest = Math.max(newest, time);
    }
    leastAge = Math.min(leastAge, Date.now() - newest);
  }
};

setInterval(() => {
  show("rate", read);
  read = 0;
}, 1000);
setInterval(() => {
  if (newest > 0) show("age", Math.max(0, Date.now() - newest - leastAge));
}, 200);

element("slow").onclick = ({ currentTarget: button }) => {
  const isSlow = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(isSlow));
  button.textContent = isSlow ? "Read at full speed" : "Make me slow";
  worker.postMessage({ isSlow });
};

function showState(state) {
  element("status").textContent = state === "open" ? "Connected" : "Connection lost, trying again";
  if (state === "open") newest = 0;
}

function showCounts({ viewers, leftOut, waiting }) {
  show("viewers", viewers);
  show("left-out", leftOut);
  show("waiting", waiting / 1024);
}

/** The page takes no script but this server's own. */
function ownScript(name) {
  const policy = globalThis.trustedTypes?.createPolicy("dashboard", {
    createScriptURL: (url) => {
      if (new URL(url, location.href).origin === location.origin) return url;
      throw new TypeError(`not a script of this server: ${url}`);
    },
  });
  return policy === undefined ? name : policy.createScriptURL(name);
}
