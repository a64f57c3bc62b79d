/** Lateness: how long requests wait for the node itself, and when so long that some are refused instead. */

import {
  LATE_MS,
  LULL_MS,
  REFUSED_PER_SERVED_MAX,
  REFUSED_AHEAD_MAX,
  RELIEF_MS,
  STALL_MAX_MS,
} from '../base/limits.ts';

/**
 * What a turn of the event loop brings has waited since it began, behind all that was served before it.
 * A node that can do what it is asked for is late now and then, by a pause of the machine; one that
 * cannot is late again and again.
 */
export class Lateness {
  readonly #nowMs: () => number;
  readonly #defer: (run: () => void) => void;
  #turnMs: number | undefined;
  /** When something was late first and last, without a lull in between. */
  #firstMs = 0;
  #lastMs = -Infinity;
  #isOverloaded = false;
  /** How many requests were served or refused. */
  requests = 0;
  /** How many more may be refused. */
  #refusable = REFUSED_AHEAD_MAX;

  /** `defer` calls back when a turn ends; tests step their own. */
  constructor(
    nowMs = (): number => performance.now(),
    defer: (run: () => void) => void = (run) => void setImmediate(run),
  ) {
    this.#nowMs = nowMs;
    this.#defer = defer;
  }

  /** When the present turn began: since then what is read in it has waited. */
  get turnMs(): number {
    if (this.#turnMs === undefined) {
      this.#turnMs = this.#nowMs();
      this.#defer(this.#endTurn);
    }
    return this.#turnMs;
  }

  /** Whether what has waited since then is to be refused. */
  isPast(sinceMs: number): boolean {
    const nowMs = this.#nowMs();
    if (nowMs - sinceMs < LATE_MS) return false;
    if (nowMs - this.#lastMs > (this.#isOverloaded ? RELIEF_MS : LULL_MS)) {
      this.#firstMs = nowMs;
      this.#isOverloaded = false;
    }
    this.#lastMs = nowMs;
    this.#isOverloaded ||= nowMs - this.#firstMs > STALL_MAX_MS;
    return this.#isOverloaded;
  }

  /** Counts a request that is served. */
  onServed(): void {
    this.requests++;
    this.#refusable = Math.min(this.#refusable + REFUSED_PER_SERVED_MAX, REFUSED_AHEAD_MAX);
  }

  /** Counts a refusal, unless there were so many that little time is left to serve. */
  mayRefuse(): boolean {
    if (this.#refusable === 0) return false;
    this.requests++;
    this.#refusable--;
    return true;
  }

  readonly #endTurn = (): void => {
    this.#turnMs = undefined;
  };
}
