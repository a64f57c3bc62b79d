/** Waiting for what must become true, without a guess at how long it takes. */

import { setTimeout } from 'node:timers/promises';

const POLL_MS = 10;

/** Tries `attempt` until it no longer throws; past `timeoutMs` its last failure is the result. */
export async function eventually<T>(attempt: () => T | Promise<T>, timeoutMs = 20_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() >= deadline) throw error;
    }
    await setTimeout(POLL_MS);
  }
}
