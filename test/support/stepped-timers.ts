/** Timers that a test steps by hand: nothing happens unless the test lets time go on. */

import type { Cancel, Timers } from '../../src/base/timers.ts';

interface Alarm {
  atMs: number;
  readonly run: () => void;
  /** Set for what happens again and again. */
  readonly intervalMs: number | undefined;
}

/** Things that may happen at one moment before it counts as a loop without end. */
const ROUNDS_MAX = 100_000;

export class SteppedTimers implements Timers {
  #nowMs = 0;
  /** In the order in which they were set, which decides between those of one moment. */
  readonly #alarms = new Set<Alarm>();
  #soon: (() => void)[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Cancel {
    return this.#set({ atMs: this.#nowMs + Math.max(delayMs, 0), run, intervalMs: undefined });
  }

  every(intervalMs: number, run: () => void): Cancel {
    return this.#set({ atMs: this.#nowMs + intervalMs, run, intervalMs });
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  /** Whether nothing is left that would ever happen. */
  get isIdle(): boolean {
    return this.#alarms.size === 0 && this.#soon.length === 0;
  }

  /** Lets everything happen that is due now, promises included. */
  async settle(): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      // Promises that wait for promises need a few rounds of their own; this waits for them all.
      await new Promise<void>((resolve) => void setImmediate(resolve));
      if (this.#soon.length === 0) return;
      this.#runSoon();
    }
    throw new Error('it never settles');
  }

  /** Lets `ms` milliseconds go by, everything in its order. */
  async step(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await this.settle();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#nowMs = next.atMs;
      if (next.intervalMs === undefined) this.#alarms.delete(next);
      else next.atMs += next.intervalMs;
      next.run();
      await this.settle();
    }
    this.#nowMs = endMs;
  }

  #set(alarm: Alarm): Cancel {
    this.#alarms.add(alarm);
    return () => void this.#alarms.delete(alarm);
  }

  #runSoon(): void {
    const due = this.#soon;
    this.#soon = [];
    for (const run of due) run();
  }

  #next(endMs: number): Alarm | undefined {
    let first: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.atMs <= endMs && (first === undefined || alarm.atMs < first.atMs)) first = alarm;
    }
    return first;
  }
}
