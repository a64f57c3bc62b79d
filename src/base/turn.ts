/** Turns: how long work that takes longer gives way to requests. */

import { setImmediate } from 'node:timers/promises';

/** Time for which a piece of work may hold up the node before it lets other requests go first. */
const TURN_MS = 2;

/** A stretch of work that gives way to others when it has gone on long enough. */
export class Turn {
  #startMs = performance.now();

  /** Lets other requests go first if this turn is over. */
  async share(): Promise<void> {
    if (performance.now() - this.#startMs < TURN_MS) return;
    await setImmediate();
    this.#startMs = performance.now();
  }
}
