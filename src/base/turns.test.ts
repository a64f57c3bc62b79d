import { expect, test } from 'vitest';

import { systemTimers } from './timers.ts';
import { Turns } from './turns.ts';

const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test('who waits is called once, in order, and after others have had their turn', async () => {
  const turns = new Turns({ ...systemTimers, nowMs: () => 0 });
  const called: string[] = [];
  turns.take(() => {
    called.push('a');
    turns.take(() => called.push('a again'));
  });
  turns.take(() => called.push('b'));
  expect(called).toEqual([]);
  await nextTurn();
  expect(called).toEqual(['a', 'b']);
  await nextTurn();
  expect(called).toEqual(['a', 'b', 'a again']);
});

test('what takes longer than a turn leaves the rest to the next', async () => {
  let nowMs = 0;
  const turns = new Turns({ ...systemTimers, nowMs: () => nowMs });
  const called: number[] = [];
  for (let n = 0; n < 5; n++) {
    turns.take(() => {
      called.push(n);
      nowMs += 1;
    });
  }
  for (const count of [2, 4, 5, 5]) {
    await nextTurn();
    expect(called).toHaveLength(count);
  }
});
