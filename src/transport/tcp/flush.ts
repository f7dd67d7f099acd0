/** Something that holds bytes back to write them together with others. */
interface Flushable {
  flush(): void;
}

let waiting: Flushable[] = [];

/**
 * Has what was sent outside of a read go out together at the end of the microtask turn, with one
 * microtask for all connections.
 *
 * @param channel What to flush; once a turn is enough.
 */
export function scheduleFlush(channel: Flushable): void {
  if (waiting.length === 0) queueMicrotask(flushAll);
  waiting.push(channel);
}

function flushAll(): void {
  const channels = waiting;
  waiting = [];
  for (const channel of channels) channel.flush();
}
