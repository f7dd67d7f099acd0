import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";

/** What a token says. */
export interface Claims {
  readonly sub?: string;
  readonly exp?: number;
  readonly channel?: string;
  readonly info?: unknown;
}

function signature(signed: string, secret: string): Buffer {
  return createHmac("sha256", secret).update(signed).digest();
}

/** Makes a JWT (RFC 7519) with HS256. */
export function sign(claims: Claims, secret: string): string {
  const parts = [{ typ: "JWT", alg: "HS256" }, claims];
  const signed = parts.map((it) => Buffer.from(JSON.stringify(it)).toString("base64url")).join(".");
  return `${signed}.${signature(signed, secret).toString("base64url")}`;
}

/** Reads a JWT with HS256; undefined for one that is not valid. That it may have expired is not looked at. */
export function verify(token: string, secret: string): Claims | undefined {
  const [head, body, signed, ...rest] = token.split(".");
  if (signed === undefined || rest.length > 0) return undefined;
  const expected = signature(`${head}.${body}`, secret);
  const given = Buffer.from(signed, "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  const [{ alg }, claims] = [head, body].map((it) =>
    JSON.parse(Buffer.from(it, "base64url").toString())
  );
  return alg === "HS256" ? claims : undefined;
}
