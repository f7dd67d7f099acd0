/**
 * Tries to connect in every way that fails, connects once, and has nothing left to do: it must end by itself.
 *
 *     deno run --allow-net tests/client/attempts.ts URL
 *
 * The server answers each path as its name says.
 *
 * @module
 */
import process from "node:process";
import { connect } from "../../client/mod.ts";

const base = process.argv[2];
const codes: string[] = [];
for (const path of ["refuse", "agree-wrongly", "redirect", "mute", "leave"]) {
  const handshakeTimeout = path === "redirect" || path === "mute" ? 0.2 : undefined;
  await connect(`${base}/${path}`, { debug: 0, handshakeTimeout })
    .catch((error) => codes.push(error.code));
}
const giveUp = new AbortController();
const given = connect(`${base}/mute`, { debug: 0, signal: giveUp.signal });
setTimeout(() => giveUp.abort(new Error("enough")), 50);
await given.catch((error) => codes.push(error.message));
const connection = await connect(`${base}/agree`, { debug: 0, closeTimeout: 0.2 });
connection.send("bye");
connection.disconnect(1000);
console.log(codes.join(" "));
