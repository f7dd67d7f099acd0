import type { TlsOptions } from "../tls_options.ts";

/**
 * Gives options of TLS as `node:tls` and `node:https` take them, which are lists that may be changed.
 *
 * @param tls The options.
 * @returns The same, with lists of their own.
 */
export function nodeTls(
  { ca, ALPNProtocols, ...others }: TlsOptions,
): Omit<TlsOptions, "ca" | "ALPNProtocols"> & { ca?: string | string[]; ALPNProtocols?: string[] } {
  return {
    ...others,
    ...(ca !== undefined && { ca: typeof ca === "string" ? ca : [...ca] }),
    ...(ALPNProtocols !== undefined && { ALPNProtocols: [...ALPNProtocols] }),
  };
}
