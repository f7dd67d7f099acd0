/** Something that holds bytes back to write them together with others. */
interface Flushable {
  flush(): void;
}

let waiting: Flushable[] = [];

/**
 * Has what was sent outside of a read go out together at the end of the microtask turn, with one
 * microtask for all connections.
 *
 * @param channel What to flush.
 */
export function scheduleFlush(channel: Flushable): void {
  if (waiting.length === 0) queueMicrotask(flushAll);
  if (waiting[waiting.length - 1] !== channel) waiting.push(channel);
}

function flushAll(): void {
  const channels = waiting;
  waiting = [];
  for (const channel of channels) channel.flush();
}
