/** Turns: those who have more to do than may be done at once wait here for each other. */

import { systemTimers, type Timers } from './timers.ts';

/** What all of them together may take of a turn of the event loop. */
const TURN_MS = 2;

/** Serves who waits in order, for a bounded time in each turn of the loop. */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  readonly #timers: Pick<Timers, 'nowMs' | 'soon'>;
  #isAskedFor = false;

  constructor(timers: Pick<Timers, 'nowMs' | 'soon'> = systemTimers) {
    this.#timers = timers;
  }

  /** Calls `goOn` once, when those that came before have been served. */
  take(goOn: () => void): void {
    this.#waiting.push(goOn);
    this.#ask();
  }

  #ask(): void {
    if (this.#isAskedFor) return;
    this.#isAskedFor = true;
    this.#timers.soon(() => this.#turn());
  }

  #turn(): void {
    this.#isAskedFor = false;
    const endMs = this.#timers.nowMs() + TURN_MS;
    // Who takes another turn meanwhile comes after all others.
    for (let left = this.#waiting.length; left > 0; left--) {
      this.#waiting.shift()!();
      if (this.#timers.nowMs() >= endMs) break;
    }
    if (this.#waiting.length > 0) this.#ask();
  }
}
