import type { Capabilities, ListenAbilities } from "../transport.ts";

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

/** What its listeners can: whatever the runtime's own cannot, those of `node:net` and `node:tls` do. */
export const TCP_LISTENS: ListenAbilities = {
  tls: ["passphrase", "ca", "requestCert", "rejectUnauthorized", "minVersion", "ALPNProtocols"],
  tlsOnPath: true,
  reusePort: true,
  renewal: true,
};
