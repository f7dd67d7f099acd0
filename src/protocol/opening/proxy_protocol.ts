import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import { CloseCode } from "../frames/close.ts";
import { type ForwardedNode, unmapped } from "./forwarded.ts";
import { ProtocolError } from "../frames/protocol_error.ts";

/** What a proxy tells of a connection that it forwards. */
export interface ProxyHeader {
  /** The client's address; undefined for a connection of the proxy itself, or one without IP addresses. */
  readonly source: ForwardedNode | undefined;
}

/** How both versions begin. */
const BEGINNING_1 = Buffer.from("PROXY ");
const BEGINNING_2 = Buffer.from("\r\n\r\n\0\r\nQUIT\n");
/** The longest header of version 1, its line break included (§2.1). */
const MAX_LINE = 107;
/** The size of the fixed part of a header of version 2, which its length does not count (§2.2). */
const FIXED = 16;

const LINE =
  /^PROXY (?:UNKNOWN(?: [^\r\n]*)?|TCP([46]) ([\da-fA-F.:]+) ([\da-fA-F.:]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4}))$/;

/**
 * Reads the header of HAProxy's PROXY protocol, version 1 or 2. A proxy sends it before anything else, to
 * tell the address of its client.
 *
 * @example
 * ```ts
 * import { ProxyHeaderParser } from "@duet/websocket/protocol";
 *
 * const parser = new ProxyHeaderParser(4096);
 * const line = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\nGET / HTTP/1.1\r\n";
 * const header = parser.push(new TextEncoder().encode(line));
 * console.assert(header?.source?.ip === "203.0.113.7" && parser.rest[0] === 0x47);
 * ```
 */
export class ProxyHeaderParser {
  readonly #maxSize: number;
  #bytes: Buffer = Buffer.alloc(0);
  #rest: Uint8Array = new Uint8Array(0);

  /**
   * Makes a parser for one header.
   *
   * @param maxSize The most bytes that the header may have.
   */
  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  /** The bytes that came after the header. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /**
   * Takes the next bytes.
   *
   * @param chunk What came from the proxy. The caller may use it again afterwards, except for the part that
   * is then {@linkcode ProxyHeaderParser.rest}.
   * @returns The header once it is whole, else undefined.
   * @throws {ProtocolError} When the bytes are no such header, or the header is too large.
   */
  push(chunk: Uint8Array): ProxyHeader | undefined {
    const bytes = Buffer.concat([this.#bytes, chunk]);
    const second = bytes[0] === BEGINNING_2[0];
    const beginning = second ? BEGINNING_2 : BEGINNING_1;
    const begun = Math.min(bytes.length, beginning.length);
    if (bytes.compare(beginning, 0, begun, 0, begun) !== 0) throw malformed("there is none");
    const size = second ? this.#binarySize(bytes) : this.#lineSize(bytes);
    if (size === undefined || size > bytes.length) {
      this.#bytes = bytes;
      return undefined;
    }
    this.#rest = chunk.subarray(chunk.length - (bytes.length - size));
    this.#bytes = bytes.subarray(0, 0);
    return { source: second ? readBinary(bytes.subarray(0, size)) : readLine(bytes, size) };
  }

  #lineSize(bytes: Buffer): number | undefined {
    const max = Math.min(MAX_LINE, this.#maxSize);
    const end = bytes.subarray(0, max).indexOf("\r\n");
    if (end === -1 && bytes.length >= max) throw malformed(`its line has over ${max} bytes`);
    return end === -1 ? undefined : end + 2;
  }

  #binarySize(bytes: Buffer): number | undefined {
    if (bytes.length < FIXED) return undefined;
    const size = FIXED + bytes.readUInt16BE(14);
    if (size > this.#maxSize) throw malformed(`it has over ${this.#maxSize} bytes`);
    return size;
  }
}

function readLine(bytes: Buffer, size: number): ForwardedNode | undefined {
  const match = LINE.exec(bytes.toString("latin1", 0, size - 2));
  if (match === null) throw malformed("its line is not as it must be");
  const [, version, source, destination, port, destinationPort] = match;
  if (version === undefined) return undefined;
  if (
    isIP(source) !== Number(version) || isIP(destination) !== Number(version) ||
    Number(port) > 0xffff || Number(destinationPort) > 0xffff
  ) throw malformed("an address in it is none");
  return { ip: unmapped(source), port: Number(port) };
}

/** The size of the addresses and ports of TCP over IPv4 and over IPv6. */
const IPV4_SIZE = 12;
const IPV6_SIZE = 36;

function readBinary(bytes: Buffer): ForwardedNode | undefined {
  const [version, command] = [bytes[12] >>> 4, bytes[12] & 0x0f];
  const [family, protocol] = [bytes[13] >>> 4, bytes[13] & 0x0f];
  if (version !== 2 || command > 1) throw malformed(`its version and command are ${bytes[12]}`);
  if (family > 3 || protocol > 2) throw malformed(`its family and protocol are ${bytes[13]}`);
  // A connection of the proxy itself, such as a health check.
  if (command === 0) return undefined;
  if (protocol === 2) throw malformed("it speaks of datagrams");
  // Not an IP address: "unspecified", or a Unix socket.
  if (protocol === 0 || family === 0 || family === 3) return undefined;
  const size = family === 1 ? IPV4_SIZE : IPV6_SIZE;
  if (bytes.length < FIXED + size) throw malformed("its addresses are cut off");
  const addresses = bytes.subarray(FIXED, FIXED + size);
  return family === 1
    ? { ip: addresses.subarray(0, 4).join("."), port: addresses.readUInt16BE(8) }
    : { ip: formatIpv6(addresses.subarray(0, 16)), port: addresses.readUInt16BE(32) };
}

const MAPPED = Buffer.from("00000000000000000000ffff", "hex");

function formatIpv6(bytes: Buffer): string {
  if (bytes.subarray(0, 12).equals(MAPPED)) return bytes.subarray(12).join(".");
  const groups = bytes.toString("hex").match(/.{4}/g)!.join(":");
  // `URL` writes it in the form of RFC 5952.
  return new URL(`http://[${groups}]`).hostname.slice(1, -1);
}

function malformed(why: string): ProtocolError {
  return new ProtocolError(
    CloseCode.PROTOCOL_ERROR,
    `Cannot read the PROXY header: ${why}`,
    "PROXY protocol §2",
  );
}
