import { Buffer } from "node:buffer";

/**
 * Makes a field of the credentials of a URL (RFC 7617).
 *
 * @param url The URL.
 * @returns The value of `Authorization` or `Proxy-Authorization`.
 */
export function basic({ username, password }: URL): string {
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(credentials).toString("base64")}`;
}
