/** The page of `centrifuge_chat.ts`. `Centrifuge` is the global of npm `centrifuge`. */
const [enter, say, state, here, messages] = ["enter", "say", "state", "here", "messages"]
  .map((id) => document.getElementById(id));

function show(text) {
  const item = document.createElement("li");
  item.textContent = text;
  messages.append(item);
  item.scrollIntoView();
}

function begin(name) {
  const url = new URL("connection/websocket", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const client = new globalThis.Centrifuge(url.href, { data: name });
  client.on("connecting", ({ reason }) => state.textContent = `connecting: ${reason}`);
  client.on("connected", () => state.textContent = "connected");
  client.on("disconnected", ({ reason }) => state.textContent = `disconnected: ${reason}`);

  // An epoch that stands for any, and offset 0: whoever comes is given all that the room keeps.
  const room = client.newSubscription("room", { since: { epoch: "", offset: 0 } });
  let shown = 0;
  const showPublication = ({ data, info, offset }) => {
    if (offset <= shown) return;
    shown = offset;
    show(`${info?.user ?? "the server"}: ${data}`);
  };
  room.on("publication", showPublication);
  room.on("subscribed", async ({ recovered }) => {
    showHere();
    if (recovered) return;
    show("(older messages are not kept any more)");
    // Offsets of another stream begin anew.
    shown = 0;
    const { publications } = await room.history({ limit: 200 });
    publications.forEach(showPublication);
  });
  room.on("join", showHere);
  room.on("leave", showHere);

  async function showHere() {
    try {
      const { clients } = await room.presence();
      here.textContent = Object.values(clients).map(({ user }) => user).sort().join(", ");
    } catch {
      here.textContent = "not known now";
    }
  }

  say.addEventListener("submit", (event) => {
    event.preventDefault();
    const field = say.elements.text;
    const text = field.value;
    field.value = "";
    room.publish(text).catch(({ message }) => {
      show(`(not sent: ${message})`);
      field.value = text;
    });
  });
  room.subscribe();
  client.connect();
}

enter.addEventListener("submit", (event) => {
  event.preventDefault();
  enter.hidden = true;
  say.hidden = false;
  begin(enter.elements.name.value);
});
