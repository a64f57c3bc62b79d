/** A clock that can be held, so that records stored one after the other get the same deadline. */

import { systemClock, type Clock } from '../src/base/clock.ts';

export class HoldableClock {
  #heldUs: number | undefined;

  readonly now: Clock = () => this.#heldUs ?? systemClock();

  /** Lets the time stand still; returns it, in microseconds. */
  hold(): number {
    this.#heldUs = systemClock();
    return this.#heldUs;
  }

  /** Lets the time go on, from where it would be. */
  release(): void {
    this.#heldUs = undefined;
  }
}
