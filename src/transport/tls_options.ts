/**
 * How a listener speaks TLS: a certificate with its key, and what is asked of clients. Names and meanings are those
 * of `node:tls`; PEM texts throughout.
 *
 * @example
 * ```ts
 * import { readFileSync } from "node:fs";
 * import { type TlsOptions, WebSocketServer } from "@duet/websocket";
 *
 * const tls: TlsOptions = {
 *   cert: readFileSync("tests/tls/cert.pem", "utf8"),
 *   key: readFileSync("tests/tls/key.pem", "utf8"),
 *   minVersion: "TLSv1.3",
 * };
 * const server = new WebSocketServer({ transport: "tcp", tls });
 * console.assert(server.isSsl);
 * ```
 */
export interface TlsOptions {
  /** The certificate chain. */
  readonly cert: string;
  /** The private key. */
  readonly key: string;
  /** What the key is encrypted with; not on `deno_http`. */
  readonly passphrase?: string | undefined;
  /** Who may have signed the certificates of clients; not on `deno_http`. */
  readonly ca?: string | readonly string[] | undefined;
  /** Whether clients are asked for a certificate; default false. Not on `deno_http`. */
  readonly requestCert?: boolean | undefined;
  /**
   * Whether a client without a certificate signed by one of `ca` is dropped, where one is asked for; default true.
   * Not on `deno_http`.
   */
  readonly rejectUnauthorized?: boolean | undefined;
  /** The oldest version of TLS that is spoken, "TLSv1.2" or "TLSv1.3"; default "TLSv1.2". Not on `deno_http`. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
  /** The protocols to agree on by ALPN (RFC 7301), as "http/1.1"; "tcp" only. */
  readonly ALPNProtocols?: readonly string[] | undefined;
}

/** Those that every transport takes. */
const COMMON = new Set(["cert", "key"]);

/**
 * Names what asks for more than a certificate.
 *
 * @param tls The options.
 * @returns The names of the options beside `cert` and `key`.
 */
export function moreThanCertificate(tls: TlsOptions): string[] {
  return Object.entries(tls).filter(([name, value]) => !COMMON.has(name) && value !== undefined)
    .map(([name]) => name);
}
