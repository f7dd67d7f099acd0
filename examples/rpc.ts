/** JSON-RPC 2.0 both ways: a client calls the server's methods, and those call the client's. @module */
import { WebSocketConnection, WebSocketServer } from "../mod.ts";
import { readFlags, runServer } from "./flags.ts";

const methods = new Map<unknown, (peer: Peer, ...params: unknown[]) => unknown>([
  ["add", (_peer, a, b) => Number(a) + Number(b)],
  ["remove", async (peer, name) => await peer.call("confirm", name) ? "removed" : "kept"],
]);
type Fault = { code?: number; message: string };
const fault = ({ code = -32000, message }: Fault) => ({ error: { code, message } });
const missing = () => Promise.reject({ code: -32601, message: "Method not found" });

class Peer extends WebSocketConnection {
  readonly #calls = new Map<unknown, PromiseWithResolvers<unknown>>();
  #last = 0;

  call(method: string, ...params: unknown[]): Promise<unknown> {
    const call = Promise.withResolvers<unknown>();
    this.#calls.set(++this.#last, call);
    this.send(JSON.stringify({ jsonrpc: "2.0", id: this.#last, method, params }));
    return call.promise;
  }

  async receive(text: string): Promise<void> {
    const { id, method, params = [], result, error } = JSON.parse(text);
    const call = this.#calls.get(id);
    if (method === undefined && this.#calls.delete(id)) {
      return error === undefined ? call!.resolve(result) : call!.reject(error);
    }
    const reply = await Promise.try(methods.get(method) ?? missing, this, ...params)
      .then((result) => ({ result }), fault);
    if (id !== undefined) this.send(JSON.stringify({ jsonrpc: "2.0", id, ...reply }));
  }
}
const flags = readFlags({ name: "rpc.ts", about: "JSON-RPC both ways.", port: 8086 });
const utf8 = (it: Peer, text: string) => it.receive(text).catch(() => it.disconnect(1008));
const onConnect = (_server: unknown, peer: Peer) => void peer.on({ utf8 });
const served = { connectionClass: Peer, messageOrder: "concurrent", onConnect } as const;
await runServer(flags, () => new WebSocketServer({ ...served, ...flags.options }));
