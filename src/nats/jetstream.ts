import type { NatsMessage } from "./client.ts";
import type { Connection } from "./connection.ts";

/** What JetStream calls a stream that is not there. */
const NOT_FOUND = 10059;
/** Statuses of messages: the end of a batch, one with nothing in it, nobody there to answer. */
const END = 204;
const EMPTY = 404;
const UNHEARD = 503;
const utf8 = new TextDecoder();

/** An error that JetStream has answered. */
export class JetStreamError extends Error {
  override readonly name = "JetStreamError";
  /** What went wrong, as JetStream counts it. */
  readonly code: number;

  /**
   * @param message What JetStream says.
   * @param code What went wrong, as JetStream counts it.
   */
  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

/** Asks JetStream. */
export class JetStream {
  readonly #connection: Connection;

  /** @param connection Where to ask. */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Asks for something.
   *
   * @param what The end of the subject.
   * @param body What to send, as JSON.
   * @returns Its answer. Rejects with {@linkcode JetStreamError}, or when no answer came.
   */
  async api<T>(what: string, body: unknown): Promise<T> {
    const payload = body === "" ? "" : JSON.stringify(body);
    return readAnswer<T>(await this.#connection.ask(`$JS.API.${what}`, payload));
  }

  /**
   * Reads messages of a stream.
   *
   * @param stream Its name.
   * @param range Which: a batch after a sequence number or a time, or the last ones.
   * @returns The messages, and how many more there are. Rejects for a stream that is gone.
   */
  async get(stream: string, range: object): Promise<{ messages: NatsMessage[]; pending: number }> {
    const answers = await this.#connection.askForMany(
      `$JS.API.DIRECT.GET.${stream}`,
      JSON.stringify(range),
    );
    const { headers } = answers.pop()!;
    if (headers?.code === EMPTY) return { messages: [], pending: 0 };
    if (headers?.code === UNHEARD) throw notThere();
    if (headers === undefined || headers.code !== END) {
      throw new JetStreamError(headers?.description ?? "No end of a batch", headers?.code ?? 0);
    }
    return { messages: answers, pending: Number(headers.get("Nats-Num-Pending")) };
  }

  /**
   * Reads the last message on a subject.
   *
   * @param stream The stream's name.
   * @param subject The subject.
   * @returns The message; null for none. Rejects for a stream that is gone.
   */
  async last(stream: string, subject: string): Promise<NatsMessage | null> {
    const message = await this.#connection.ask(
      `$JS.API.DIRECT.GET.${stream}`,
      JSON.stringify({ last_by_subj: subject }),
    );
    if (message.headers?.code === UNHEARD) throw notThere();
    return message.headers?.code === EMPTY ? null : message;
  }
}

/**
 * Reads an answer of JetStream.
 *
 * @param message The answer.
 * @returns What it says.
 * @throws {JetStreamError} For an error.
 */
export function readAnswer<T>({ data, headers }: NatsMessage): T {
  if (data.length === 0 && headers !== undefined && headers.code >= 400) {
    const { code, description } = headers;
    if (code === UNHEARD) throw notThere();
    throw new JetStreamError(description, code);
  }
  const answer = JSON.parse(utf8.decode(data));
  if (answer.error === undefined) return answer;
  throw new JetStreamError(answer.error.description, answer.error.err_code ?? answer.error.code);
}

/**
 * Tells whether a stream is not there: nobody has done, or will do, what was asked.
 *
 * @param error What was answered.
 * @returns Whether that is why.
 */
export function isNotFound(error: unknown): boolean {
  return error instanceof JetStreamError && error.code === NOT_FOUND;
}

function notThere(): JetStreamError {
  return new JetStreamError("The stream is not there", NOT_FOUND);
}
