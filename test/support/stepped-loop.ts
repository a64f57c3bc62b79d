/** An event loop for the scheduler that turns when a test says so. */

import type { Loop } from '../../src/base/scheduler.ts';

/** An event loop that turns when it is told to, and whose clock stands still in between. */
export class SteppedLoop implements Loop {
  ms = 0;
  #deferred: (() => void)[] = [];

  /** What passes by each look at the clock. */
  msPerLook = 0;

  nowMs(): number {
    this.ms += this.msPerLook;
    return this.ms;
  }

  defer(run: () => void): void {
    this.#deferred.push(run);
  }

  /** One turn: what was deferred, and what follows from it. */
  async turn(): Promise<void> {
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const run of deferred) run();
    for (let i = 0; i < 20; i++) await Promise.resolve();
  }

  /** Turns until nothing is left to do, at most so often. */
  async run(turnsMax = 10_000): Promise<void> {
    for (let turns = 0; !this.isIdle; turns++) {
      if (turns === turnsMax) throw new Error('the loop does not come to rest');
      await this.turn();
    }
  }

  get isIdle(): boolean {
    return this.#deferred.length === 0;
  }
}
