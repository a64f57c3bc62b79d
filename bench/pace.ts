/** Working through many operations as a server does: in turns of the event loop, pauses measured. */

import { openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Time after which timers and the like get their turn. */
const TURN_MS = 2;

/** Gaps below this are not worth a look at why. */
const NOTEWORTHY_MS = 0.5;

/** The longest times for which nothing went on. */
export interface Pauses {
  /** Without the time in which the system let others have the core. */
  readonly longestMs: number;
  /** With it. */
  readonly longestWallMs: number;
}

/** Measures the gaps between calls of `tick`. */
export class PauseMeter {
  readonly #waiting = openSync('/proc/self/schedstat', 'r');
  readonly #text = Buffer.alloc(64);
  #lastTickMs = performance.now();
  #waitedMs = this.#readWaitedMs();
  #longestMs = 0;
  #longestWallMs = 0;

  /** Says that an operation is done. Must be called at least once a turn with `isNewTurn`. */
  tick(isNewTurn = false): number {
    const now = performance.now();
    const gapMs = now - this.#lastTickMs;
    this.#lastTickMs = now;
    if (gapMs > NOTEWORTHY_MS || isNewTurn) this.#note(gapMs);
    return now;
  }

  get pauses(): Pauses {
    return { longestMs: this.#longestMs, longestWallMs: this.#longestWallMs };
  }

  #note(gapMs: number): void {
    const waitedMs = this.#readWaitedMs();
    const ownMs = gapMs - Math.min(gapMs, waitedMs - this.#waitedMs);
    this.#waitedMs = waitedMs;
    this.#longestMs = Math.max(this.#longestMs, ownMs);
    this.#longestWallMs = Math.max(this.#longestWallMs, gapMs);
  }

  /** How long this thread was ready to run and did not, since it started. */
  #readWaitedMs(): number {
    const length = readSync(this.#waiting, this.#text, 0, this.#text.length, 0);
    return Number(this.#text.toString('latin1', 0, length).split(' ')[1]) / 1e6;
  }
}

/** Does `operation` for 0 to `count` − 1, in turns; returns the time it took, in milliseconds. */
export async function inTurns(
  count: number,
  meter: PauseMeter,
  operation: (n: number) => void,
): Promise<number> {
  const startMs = meter.tick(true);
  let turnEndMs = startMs + TURN_MS;
  for (let n = 0; n < count; n++) {
    operation(n);
    if (meter.tick() < turnEndMs) continue;
    await nextTurn();
    turnEndMs = meter.tick(true) + TURN_MS;
  }
  return performance.now() - startMs;
}
