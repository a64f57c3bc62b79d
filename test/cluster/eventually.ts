/** Waiting in tests: for a condition, never for a time. */

import { setTimeout as delay } from 'node:timers/promises';

/**
 * Tries `attempt` until it neither throws nor rejects, and returns what it gave.
 *
 * @throws Error with the last failure as its cause, after `withinMs`.
 */
export async function eventually<T>(attempt: () => T | Promise<T>, withinMs = 20_000): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) {
        throw new Error(`not within ${withinMs} ms: ${(error as Error).message}`, { cause: error });
      }
    }
    await delay(20);
  }
}
