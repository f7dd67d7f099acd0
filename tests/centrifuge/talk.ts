import { Centrifuge, type CentrifugeOptions } from "../../src/centrifuge/mod.ts";
import type { WebSocketServerOptions } from "../../mod.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { serve, type Variant } from "../support/transports.ts";

/** Where clients connect. */
export const PATH = "/connection/websocket";

/** A topic that keeps what is published, and who is there. */
export const KEEPING: WebSocketServerOptions = {
  topics: { history: { count: 100, age: 60 }, presence: true },
};

/** Who comes is whom the token says; everybody may do everything. */
export const OPEN: CentrifugeOptions = {
  onConnect: ({ token }) => ({ user: token }),
  onSubscribe: () => ({ recover: true, presence: true, history: true }),
  onPublish: () => true,
};

/** Starts a server that speaks the protocol. */
export async function host(
  variant: Variant,
  options: Partial<CentrifugeOptions> = {},
  serverOptions: WebSocketServerOptions = KEEPING,
) {
  const served = await serve(variant, serverOptions);
  const centrifuge = new Centrifuge(served.server, { ...OPEN, ...options });
  return {
    ...served,
    centrifuge,
    url: served.url + PATH,
    /** Opens a WebSocket that speaks JSON. */
    come: () => Talk.open(served.url + PATH),
    /** The same, with `connect` done. */
    join: async (connect: object = {}) => {
      const talk = await Talk.open(served.url + PATH);
      await talk.ask({ connect });
      return talk;
    },
  };
}

/** A client that is no more than its messages. */
export class Talk {
  /** The replies and pushes, a line each, as they came. */
  readonly lines = new Journal<string>();
  /** How many of them each text message had. */
  readonly sizes: number[] = [];
  /** The binary messages. */
  readonly messages = new Journal<Uint8Array>();
  readonly #socket: WebSocket;
  readonly #closed: Promise<CloseEvent>;
  #id = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.#take(data.split("\n"));
      else this.messages.add(new Uint8Array(data));
    };
    this.#closed = new Promise((resolve) => socket.onclose = resolve);
  }

  static async open(url: string, subprotocol?: string): Promise<Talk> {
    const socket = new WebSocket(url, subprotocol === undefined ? [] : [subprotocol]);
    const talk = new Talk(socket);
    await patiently(
      new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = reject;
      }),
      "a WebSocket",
    );
    return talk;
  }

  #take(lines: string[]): void {
    this.sizes.push(lines.length);
    for (const line of lines) this.lines.add(line);
  }

  get subprotocol(): string {
    return this.#socket.protocol;
  }

  /** Sends a message as it is. */
  send(message: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(message);
  }

  /** Sends a command, and waits for the next line, which must be the answer. */
  // deno-lint-ignore no-explicit-any -- a test looks at what it likes
  async ask(command: object): Promise<any> {
    const id = ++this.#id;
    this.send(JSON.stringify({ id, ...command }));
    const { id: answered, ...reply } = await this.next();
    if (answered !== id) throw new Error(`not the answer: ${JSON.stringify(reply)}`);
    return reply;
  }

  /** The next reply or push. */
  // deno-lint-ignore no-explicit-any -- a test looks at what it likes
  async next(): Promise<any> {
    return JSON.parse(await this.lines.next());
  }

  /** How the server ends it. */
  async end(): Promise<[code: number, reason: string]> {
    const { code, reason } = await patiently(this.#closed, "the end of a WebSocket");
    return [code, reason];
  }

  close(): void {
    this.#socket.close();
  }
}
