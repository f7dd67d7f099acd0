/** How long anything that a test waits for may take: far longer than it does. */
const PATIENCE_MS = 180_000;

/** Waits, but not for ever: a test that hangs says what it was waiting for. */
export async function patiently<T>(promise: Promise<T>, what: string): Promise<T> {
  const { stack } = new Error();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`${what} did not come in ${PATIENCE_MS / 1000} s\n${stack}`));
    }, PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Tries something that has to be done within a limit of time, and, where that fails, once more with ten times as
 * much: a busy machine may be too slow for the first, and a fault fails both.
 */
export async function inTime(
  seconds: number,
  test: (seconds: number) => Promise<void>,
): Promise<void> {
  try {
    await test(seconds);
  } catch (error) {
    console.error(`Failed within ${seconds} s; tried again with ten times as much:`, error);
    await test(10 * seconds);
  }
}
