import { clientFrame } from "./client_frame.ts";
import { RawClient } from "./raw_client.ts";

/** How long an answer may take before a client is no longer served well. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 10;

/** A proper client of an echo server, which goes to and fro all along and times it. */
export class HealthyClient {
  /** How long each round trip took, in milliseconds. */
  readonly times: number[] = [];
  #failure: string | undefined;
  #stopped = false;
  readonly #deadline: number;
  readonly #client: RawClient;
  readonly #overlooks: (payload: Uint8Array) => boolean;
  #done: Promise<void> = Promise.resolve();

  private constructor(
    client: RawClient,
    deadline: number,
    overlooks: (payload: Uint8Array) => boolean,
  ) {
    this.#client = client;
    this.#deadline = deadline;
    this.#overlooks = overlooks;
  }

  /**
   * Opens a connection and begins.
   *
   * @param url Where the echo server is.
   * @param deadline When to end by itself, on the clock of `performance.now()`.
   * @param overlooks Whether a message is no answer, but one that may come at any time.
   */
  static async start(
    url: string,
    deadline = Infinity,
    overlooks: (payload: Uint8Array) => boolean = () => false,
  ): Promise<HealthyClient> {
    const healthy = new HealthyClient(await RawClient.open(url), deadline, overlooks);
    healthy.#done = healthy.#run();
    return healthy;
  }

  /** What has gone wrong; undefined as long as nothing has. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Ends it, and tells how it fared. */
  async stop(): Promise<{ roundTrips: number; failure: string | undefined }> {
    this.#stopped = true;
    await this.#done;
    return { roundTrips: this.times.length, failure: this.#failure };
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopped && performance.now() < this.#deadline) {
        await this.#roundTrip();
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    } catch (error) {
      this.#failure = `a healthy client failed: ${(error as Error).message}`;
    } finally {
      this.#client[Symbol.dispose]();
    }
  }

  async #roundTrip(): Promise<void> {
    const sent = `round trip ${this.times.length}`;
    const began = performance.now();
    this.#client.write(clientFrame(1, sent));
    let frame = await this.#client.frame();
    while (frame !== null && this.#overlooks(frame.payload)) frame = await this.#client.frame();
    const took = performance.now() - began;
    const came = frame?.payload.toString();
    if (came !== sent) throw new Error(`it sent ${sent} and got ${came ?? "no answer"}`);
    if (took > PATIENCE_MS) throw new Error(`it waited ${Math.round(took)} ms`);
    this.times.push(took);
  }
}
