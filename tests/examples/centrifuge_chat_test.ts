import { Centrifuge } from "centrifuge";
import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { Example, runtime } from "./start_example.ts";

for (const transport of ["http", "tcp"]) {
  describe(`the chat of clients that come back, over ${runtime}_${transport}`, () => {
    it("serves its page and the library, and gives who comes back what was said meanwhile", async () => {
      const flags = ["--port", "0", "--transport", transport];
      const example = await Example.start(runtime, "centrifuge_chat.ts", ...flags);
      const clients: Centrifuge[] = [];
      try {
        assertMatch(await (await fetch(`${example.url}/`)).text(), /centrifuge_chat_page\.js/);
        const library = await fetch(`${example.url}/centrifuge.js`);
        assert((await library.text()).length > 10_000);
        const enter = (name: string) => {
          const url = `${example.url.replace("http", "ws")}/connection/websocket`;
          const client = new Centrifuge(url, { data: name, websocket: WebSocket });
          clients.push(client);
          const room = client.newSubscription("room", { since: { epoch: "", offset: 0 } });
          const heard = new Journal<unknown>();
          room.on("publication", ({ data, info }) => heard.add([info?.user, data]));
          room.subscribe();
          client.connect();
          return { client, room, heard };
        };
        const ada = enter("Ada");
        await patiently(ada.room.ready(), "a subscription");
        await ada.room.publish("hello");
        assertEquals(await ada.heard.next(), ["Ada", "hello"]);
        ada.client.disconnect();
        const grace = enter("Grace");
        assertEquals(await grace.heard.next(), ["Ada", "hello"]);
        await grace.room.publish("where are you?");
        ada.client.connect();
        assertEquals(await ada.heard.next(), ["Grace", "where are you?"]);
        const refused = await ada.room.publish("x".repeat(501)).catch(({ code }) => code);
        assertEquals(refused, 107);
      } finally {
        for (const it of clients) it.disconnect();
        await example.stop();
      }
    });
  });
}
