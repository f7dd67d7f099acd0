import { invalid } from "../base/option_values.ts";

/** What {@linkcode natsEngine} takes beside the function that connects. */
export interface NatsEngineOptions {
  /**
   * What the names of all subjects and streams begin with: letters, digits, `_` and `-`. Servers with the
   * same prefix share their topics. Default `"duet"`.
   */
  prefix?: string;
  /**
   * On how many servers of a NATS cluster history is kept: 1, 3 or 5. With 1, what the one server has is
   * away for as long as it is. Counts where a stream is made for the first time. Default 1.
   */
  replicas?: number;
}

/**
 * Checks the number of replicas.
 *
 * @param replicas The option.
 * @returns It.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for a number that NATS does not take.
 */
export function checkReplicas(replicas: number): number {
  if (![1, 3, 5].includes(replicas)) throw invalid("replicas", replicas, "1, 3 or 5");
  return replicas;
}
