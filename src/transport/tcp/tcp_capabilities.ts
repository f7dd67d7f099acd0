import type { Capabilities } from "../transport.ts";

/** What our own engine can do over raw sockets, on every runtime. */
export const TCP_CAPABILITIES: Capabilities = {
  compression: true,
  extensions: true,
  ping: true,
  enginePongs: false,
  pause: true,
  socket: true,
  listen: true,
  mount: false,
};
