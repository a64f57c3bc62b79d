/** A rate: how many bytes a second may go out, with a tenth of a second's worth of them at most at once. */

import type { Timers } from '../base/timers.ts';

export class Rate {
  readonly #bytesPerSecond: number;
  readonly #timers: Timers;
  /** What may go out at present; below zero once more has gone out than was due. */
  #dueBytes: number;
  #atMs: number;

  constructor(bytesPerSecond: number, timers: Timers) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#timers = timers;
    this.#dueBytes = bytesPerSecond / 10;
    this.#atMs = timers.nowMs();
  }

  /** Notes that so many bytes go out. */
  spend(bytes: number): void {
    this.#dueBytes -= bytes;
  }

  /** Milliseconds until more may go out; 0 if it may now. */
  waitMs(): number {
    const nowMs = this.#timers.nowMs();
    const grown = this.#dueBytes + ((nowMs - this.#atMs) / 1000) * this.#bytesPerSecond;
    // Time in which nothing was sent is not made up for by a flood.
    this.#dueBytes = Math.min(grown, this.#bytesPerSecond / 10);
    this.#atMs = nowMs;
    return this.#dueBytes > 0 ? 0 : Math.ceil((-this.#dueBytes / this.#bytesPerSecond) * 1000) + 1;
  }
}
