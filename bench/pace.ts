/** Working as a server does, in turns of the event loop, and measuring the pauses. */

import { existsSync, openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Time after which timers and the like get their turn. */
const TURN_MS = 2;

/** Where Linux tells of this thread: nanoseconds that it ran and that it waited to run. */
const SCHEDULE = '/proc/self/schedstat';

/** Operations between two looks at the clock, which costs a good part of one. */
const OPERATIONS_PER_TICK = 16;

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
  readonly #waiting = existsSync(SCHEDULE) ? openSync(SCHEDULE, 'r') : undefined;
  readonly #text = Buffer.alloc(64);
  #lastTickMs = performance.now();
  #waitedMs = this.#readWaitedMs();
  #longestMs = 0;
  #longestWallMs = 0;

  /** Says that something is done; `isNewTurn` at least once in each turn of the event loop. */
  tick(isNewTurn = false): void {
    const now = performance.now();
    const gapMs = now - this.#lastTickMs;
    this.#lastTickMs = now;
    if (gapMs > NOTEWORTHY_MS || isNewTurn) this.#note(gapMs);
  }

  /** The pauses since the last call; what has gone on since the last tick is no pause. */
  take(): Pauses {
    const pauses = { longestMs: this.#longestMs, longestWallMs: this.#longestWallMs };
    this.#longestMs = 0;
    this.#longestWallMs = 0;
    this.#restart();
    return pauses;
  }

  /** Does `operation` for 0 to `count` − 1, in turns; returns milliseconds of processor time. */
  async run(count: number, operation: (n: number) => void): Promise<number> {
    this.#restart();
    const before = process.cpuUsage();
    let turnEndMs = this.#lastTickMs + TURN_MS;
    for (let n = 0; n < count; ) {
      for (const end = Math.min(count, n + OPERATIONS_PER_TICK); n < end; n++) operation(n);
      this.tick();
      if (this.#lastTickMs < turnEndMs) continue;
      await nextTurn();
      this.tick(true);
      turnEndMs = this.#lastTickMs + TURN_MS;
    }
    this.tick(true);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  }

  #restart(): void {
    this.#lastTickMs = performance.now();
    this.#waitedMs = this.#readWaitedMs();
  }

  #note(gapMs: number): void {
    const waitedMs = this.#readWaitedMs();
    const ownMs = gapMs - Math.min(gapMs, waitedMs - this.#waitedMs);
    this.#waitedMs = waitedMs;
    this.#longestMs = Math.max(this.#longestMs, ownMs);
    this.#longestWallMs = Math.max(this.#longestWallMs, gapMs);
  }

  /**
   * How long this thread was ready to run and did not, since it started: a machine that others use
   * too would make any figure. Only Linux tells; elsewhere 0.
   */
  #readWaitedMs(): number {
    if (this.#waiting === undefined) return 0;
    const length = readSync(this.#waiting, this.#text, 0, this.#text.length, 0);
    return Number(this.#text.toString('latin1', 0, length).split(' ')[1]) / 1e6;
  }
}
