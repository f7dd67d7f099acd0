// Duet's client, on Node, Deno and Bun.

import { connect } from "../../client/mod.ts";
import { obey } from "./control.ts";

obey((url, deflate) =>
  connect(url, {
    extensions: deflate ? "permessage-deflate" : [],
    handlers: { message: (connection, data) => void connection.send(data) },
  })
);
