import { expect, test } from 'vitest';

import {
  LATE_MS,
  LULL_MS,
  REFUSED_AHEAD_MAX,
  REFUSED_PER_SERVED_MAX,
  RELIEF_MS,
  STALL_MAX_MS,
} from '../base/limits.ts';
import { Lateness } from './lateness.ts';

/** A loop whose clock and turns the test steps. */
class SteppedLoop {
  nowMs = 1000;
  readonly #deferred: (() => void)[] = [];
  readonly lateness = new Lateness(
    () => this.nowMs,
    (run) => this.#deferred.push(run),
  );

  /** A turn that serves for so long; returns whether what it brings last is refused. */
  turn(ms: number): boolean {
    const sinceMs = this.lateness.turnMs;
    this.nowMs += ms;
    const isPast = this.lateness.isPast(sinceMs);
    for (const run of this.#deferred.splice(0)) run();
    return isPast;
  }

  /** Turns of so many ms each for a time; returns how many of them refused something. */
  run(turnMs: number, forMs: number): number {
    let refused = 0;
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; )
      refused += Number(this.turn(turnMs));
    return refused;
  }
}

test('what comes in a turn has waited since its first read', () => {
  const { lateness } = new SteppedLoop();
  expect(lateness.turnMs).toBe(1000);
  const loop = new SteppedLoop();
  const first = loop.lateness.turnMs;
  loop.nowMs += 5;
  expect(loop.lateness.turnMs).toBe(first);
  loop.turn(0);
  expect(loop.lateness.turnMs).toBe(first + 5);
});

test('a node that keeps up refuses nothing, however long', () => {
  expect(new SteppedLoop().run(LATE_MS - 1, 10 * STALL_MAX_MS)).toBe(0);
});

test('a pause of the machine is no overload, nor are some', () => {
  const loop = new SteppedLoop();
  expect(loop.turn(10 * STALL_MAX_MS)).toBe(false);
  for (let pauses = 0; pauses < 10; pauses++) {
    expect(loop.turn(LATE_MS)).toBe(false);
    expect(loop.run(1, LULL_MS)).toBe(0);
  }
});

test('late again and again, a node refuses what is late, until there was a relief', () => {
  const loop = new SteppedLoop();
  expect(loop.run(LATE_MS, STALL_MAX_MS)).toBe(0);
  loop.turn(LATE_MS);
  expect(loop.turn(LATE_MS)).toBe(true);
  // What is not late is served meanwhile.
  expect(loop.turn(LATE_MS - 1)).toBe(false);
  expect(loop.turn(LATE_MS)).toBe(true);
  loop.run(1, LULL_MS + 1);
  expect(loop.turn(LATE_MS)).toBe(true);
  loop.run(1, RELIEF_MS + 1);
  expect(loop.turn(LATE_MS)).toBe(false);
});

test('refusals do not take the place of serving', () => {
  const { lateness } = new SteppedLoop();
  const refuse = (): number => {
    let refused = 0;
    while (lateness.mayRefuse()) refused++;
    return refused;
  };
  lateness.onServed();
  expect(refuse()).toBe(REFUSED_AHEAD_MAX);
  lateness.onServed();
  lateness.onServed();
  expect(refuse()).toBe(2 * REFUSED_PER_SERVED_MAX);
});
