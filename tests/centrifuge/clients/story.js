/**
 * What one client of npm `centrifuge` does, under any runtime and in a browser: first everything there is to
 * do, together with a guest; then it listens, whatever becomes of the server, until it hears "end".
 *
 * @type {import("./story.d.ts").story}
 */
export async function story(Centrifuge, websocket, { name, url, codec }, say) {
  const parse = (data) => data instanceof Uint8Array ? JSON.parse(decoder.decode(data)) : data;
  const written = (value) =>
    codec === "JSON" ? value : new TextEncoder().encode(JSON.stringify(value));
  const enter = (token) => {
    const client = new Centrifuge(url, {
      token,
      websocket,
      minReconnectDelay: 50,
      maxReconnectDelay: 500,
      // Many of them start at once on a machine that may be busy.
      timeout: 60_000,
    });
    client.connect();
    return client;
  };
  const decoder = new TextDecoder();
  const [client, guest] = [enter(name), enter(`guest of ${name}`)];

  // What happens in a room of its own.
  const [mine, theirs] = [client, guest].map((it) => it.newSubscription(`room of ${name}`));
  const happened = journal();
  mine.on("publication", ({ data, info }) => happened.add([parse(data), info?.user]));
  mine.on("join", ({ info }) => info.user !== name && happened.add(["join", info.user]));
  mine.on("leave", ({ info }) => happened.add(["leave", info.user, parse(info.connInfo)]));
  for (const it of [mine, theirs]) {
    it.subscribe();
    await it.ready();
  }
  await happened.upTo(1);
  await theirs.publish(written({ n: 1 }));
  await mine.publish(written({ n: 2 }));
  await happened.upTo(3);
  const { publications, offset } = await mine.history({ limit: 10 });
  const { clients } = await mine.presence();
  const stats = await mine.presenceStats();
  const { data } = await client.rpc("double", written(21));
  theirs.unsubscribe();
  await happened.upTo(4);
  guest.disconnect();
  const did = {
    happened: happened.entries,
    history: publications.map((it) => parse(it.data)),
    isAtTop: `${publications.at(-1).offset}` === `${offset}`,
    presence: Object.values(clients).map(({ user }) => user).sort(),
    stats,
    rpc: parse(data),
  };

  // What it hears on a topic of all.
  const heard = [];
  const subscription = client.newSubscription("all");
  subscription.on("publication", ({ data }) => {
    const value = parse(data);
    if (value !== "end") return heard.push(value);
    client.disconnect();
    say({ name, heard });
  });
  subscription.on("subscribed", (context) => {
    if (context.wasRecovering) say({ name, back: context.recovered });
  });
  subscription.subscribe();
  await subscription.ready();
  say({ name, did });
}

/** What happened, in order, to be waited for. */
function journal() {
  const entries = [];
  let [wanted, go] = [Infinity, () => {}];
  return {
    entries,
    add(entry) {
      if (entries.push(entry) >= wanted) go();
    },
    upTo: (count) =>
      new Promise((resolve) => {
        [wanted, go] = [count, resolve];
        if (entries.length >= count) resolve();
      }),
  };
}
