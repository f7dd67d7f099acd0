import type { WebSocketConnection } from "../connection/connection.ts";
import { sessionOf } from "../connection/connection.ts";
import { formatExtension } from "../protocol/mod.ts";
import type { WebSocketServer } from "../server/server.ts";
import type { Channel, LifeListener, MessageListener } from "../transport/channel.ts";
import type { Answer, Opening, RequestInfo, TransportHost } from "../transport/transport.ts";
import { unsupported } from "../transport/unsupported.ts";
import type { RequestHead } from "../protocol/mod.ts";

/**
 * Has our engine stand in for that of a server's transport: of an opening, and of what comes over its channel,
 * it does what a runtime's engine does by itself, and refuses what that cannot do.
 */
export class StandIn<C extends WebSocketConnection> implements Opening, MessageListener {
  /** The server's connection, once it is open. */
  connection: C | undefined;
  readonly #server: WebSocketServer<C>;
  readonly #socket: unknown;
  #opening!: Opening;
  #pong: ((payload: Uint8Array) => void) | undefined;

  /**
   * @param server The server.
   * @param socket What its connection has as its socket.
   */
  constructor(server: WebSocketServer<C>, socket: unknown) {
    this.#server = server;
    this.#socket = socket;
  }

  /** The server as the engine sees it, for one peer. */
  host(host: TransportHost): TransportHost {
    const take = <T>(accepted: T | Opening) => {
      if (typeof accepted === "number") return accepted;
      this.#opening = accepted as Opening;
      return this;
    };
    return {
      ...host,
      accept: (peer) => {
        const accepted = host.accept(peer);
        return accepted instanceof Promise ? accepted.then(take) : take(accepted);
      },
    };
  }

  get messages(): MessageListener {
    return this.#server.capabilities.enginePongs ? this : this.#opening.messages;
  }

  get life(): LifeListener {
    return this.#opening.life;
  }

  request(request: Request, info: RequestInfo): Promise<Response> {
    return this.#opening.request(request, info);
  }

  answer(head: RequestHead): Answer | Promise<Answer> {
    const answer = this.#opening.answer(head);
    return answer instanceof Promise
      ? answer.then((it) => this.#complete(it))
      : this.#complete(answer);
  }

  /** An engine that negotiates its extensions by itself adds them to the answer. */
  #complete(answer: Answer): Answer {
    if (!("extensions" in answer) || this.#server.capabilities.extensions) return answer;
    const { headers, extensions } = answer;
    if (extensions.length === 0) return answer;
    const agreed = extensions.map(({ name, session }) =>
      formatExtension({ name, parameters: [...session.parameters] })
    );
    return { ...answer, headers: [...headers, ["Sec-WebSocket-Extensions", agreed.join(", ")]] };
  }

  opened(channel: Channel): void {
    const { capabilities, connections, transport } = this.#server;
    this.#pong = channel.pong.bind(channel);
    if (!capabilities.ping) {
      channel.ping = channel.pong = () => {
        throw unsupported("send a ping or pong", transport, "its engine does so by itself");
      };
    }
    this.#opening.opened(channel);
    for (const it of connections) if (sessionOf(it).native === this.#socket) this.connection = it;
  }

  failed(): void {
    this.#opening.failed();
  }

  text(data: string): void {
    this.#opening.messages.text(data);
  }

  binary(data: Uint8Array): void {
    this.#opening.messages.binary(data);
  }

  ping(payload: Uint8Array): void {
    this.#pong?.(payload);
    this.#opening.messages.ping(payload);
  }

  pong(payload: Uint8Array): void {
    this.#opening.messages.pong(payload);
  }
}
