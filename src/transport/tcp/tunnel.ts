import { connect, type Socket } from "node:net";
import { WebSocketError } from "../../base/errors.ts";
import { ResponseHeadParser } from "../../protocol/mod.ts";
import type { DialOptions, DialProxy } from "./dial.ts";

/** The bounds on what a proxy answers. */
const LIMITS = { maxSize: 16 * 1024, maxFields: 100 };

/**
 * Has an HTTP proxy connect to a server (RFC 9110 §9.3.6).
 *
 * @param proxy The proxy.
 * @param to The server, and what gives it up.
 * @returns A socket over which the server can be talked to, once the proxy has connected.
 * @throws {WebSocketError} ERR_CONNECT when the proxy refuses. What Node's socket tells of a failure is passed on.
 */
export function openTunnel(proxy: DialProxy, to: DialOptions): Promise<Socket> {
  const { signal, hostname, port } = to;
  const authority = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const authorization = proxy.authorization === undefined
    ? ""
    : `Proxy-Authorization: ${proxy.authorization}\r\n`;
  return new Promise((resolve, reject) => {
    const socket = connect({ host: proxy.hostname, port: proxy.port, autoSelectFamily: true });
    const parser = new ResponseHeadParser(LIMITS);
    const settle = () => {
      signal.removeEventListener("abort", abort);
      socket.off("error", giveUp).off("close", closed).off("data", take);
    };
    const giveUp = (error: unknown) => {
      settle();
      // What it says of its end is nobody's business any more.
      socket.on("error", () => {});
      socket.destroy();
      reject(error);
    };
    const refuse = (why: string) =>
      giveUp(
        new WebSocketError("ERR_CONNECT", `Cannot connect to ${authority} by the proxy: ${why}`),
      );
    const abort = () => giveUp(signal.reason);
    const closed = () => refuse("it closed the connection");
    const take = (chunk: Uint8Array) => {
      try {
        const head = parser.push(chunk);
        if (head === undefined) return;
        if (head.status < 200 || head.status > 299) {
          return refuse(`it answered with status ${head.status}`);
        }
        settle();
        socket.pause();
        if (parser.rest.length > 0) socket.unshift(parser.rest);
        resolve(socket);
      } catch (error) {
        giveUp(error);
      }
    };
    signal.addEventListener("abort", abort);
    socket.on("error", giveUp).on("close", closed).on("data", take);
    socket.once("connect", () => {
      socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`);
    });
  });
}
