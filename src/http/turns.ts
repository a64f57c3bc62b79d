/** Turns: connections that have more requests ready than may be served at once wait here for each other. */

/** What all of them together may take of a turn of the event loop. */
const TURN_MS = 2;

/** Serves who waits in order, for a bounded time in each turn of the loop. */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  readonly #nowMs: () => number;
  #isAskedFor = false;

  constructor(nowMs = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Calls `goOn` once, when those that came before have been served. */
  take(goOn: () => void): void {
    this.#waiting.push(goOn);
    this.#ask();
  }

  #ask(): void {
    if (this.#isAskedFor) return;
    this.#isAskedFor = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isAskedFor = false;
    const endMs = this.#nowMs() + TURN_MS;
    // Who takes another turn meanwhile comes after all others.
    for (let left = this.#waiting.length; left > 0; left--) {
      this.#waiting.shift()!();
      if (this.#nowMs() >= endMs) break;
    }
    if (this.#waiting.length > 0) this.#ask();
  }
}
