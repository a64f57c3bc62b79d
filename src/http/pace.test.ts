import { expect, test } from 'vitest';

import { Pace } from './pace.ts';

const OPTIONS = { bytesPerTurn: 1000, usersPerTurn: 3 };

/** A loop whose turns the test takes. */
function steppedPace(): { pace: Pace; turn: () => void; isAskedFor: () => boolean } {
  const deferred: (() => void)[] = [];
  return {
    pace: new Pace(OPTIONS, (run) => deferred.push(run)),
    turn: () => deferred.shift()?.(),
    isAskedFor: () => deferred.length > 0,
  };
}

const never = (): void => expect.unreachable();

test('one body alone is read on until the bytes of a turn are used up', () => {
  const { pace, turn, isAskedFor } = steppedPace();
  let wentOn = 0;
  const half = OPTIONS.bytesPerTurn / 2;
  expect(pace.spend(half, never)).toBe(true);
  expect(pace.spend(half, () => wentOn++)).toBe(false);
  expect(wentOn).toBe(0);
  turn();
  expect(wentOn).toBe(1);
  expect(pace.spend(half, never)).toBe(true);
  turn();
  expect(isAskedFor()).toBe(false);
});

test('many bodies are read some at a time, in order, and each but once a turn', () => {
  const { pace, turn } = steppedPace();
  const read: number[] = [];
  const readOn = (reader: number): void => {
    read.push(reader);
    expect(pace.spend(1, () => readOn(reader))).toBe(false);
  };
  const readers = Array.from({ length: 2 * OPTIONS.usersPerTurn + 1 }, (_, reader) => reader);
  expect(pace.spend(OPTIONS.bytesPerTurn, () => readOn(0))).toBe(false);
  for (const reader of readers.slice(1)) pace.spend(1, () => readOn(reader));
  turn();
  expect(read).toEqual(readers.slice(0, OPTIONS.usersPerTurn));
  turn();
  turn();
  expect(read).toEqual([...readers, ...readers.slice(0, OPTIONS.usersPerTurn - 1)]);
});
