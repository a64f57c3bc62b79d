import { expect, test } from 'vitest';

import { joinsOf, readKept, wasOthers } from './kept.ts';

const kept = readKept({ clusterId: 'c', epoch: 3, members: ['a:1', 'b:1', 'c:1'] })!;

test('a node dials those that it was a member with, besides those of -join', () => {
  expect(joinsOf(['b:1', 'd:1'], kept, 'a:1')).toEqual(['b:1', 'd:1', 'c:1']);
  expect(joinsOf([], readKept({ members: ['a:1'] }), 'a:1')).toEqual([]);
});

test('a node that has left, or has another address now, dials those of -join only', () => {
  expect(joinsOf(['b:1'], { ...kept, hasLeft: true }, 'a:1')).toEqual(['b:1']);
  expect(joinsOf([], kept, 'z:1')).toEqual([]);
  expect(joinsOf([], undefined, 'a:1')).toEqual([]);
});

test('every partition was that of one member, and of nobody where nothing is remembered', () => {
  const others = kept.members.map((self) => wasOthers(kept, self, 64));
  for (let partition = 0; partition < 64; partition++) {
    expect(others.filter((isOthers) => !isOthers(partition))).toHaveLength(1);
  }
  expect(wasOthers(undefined, 'a:1', 64)(5)).toBe(false);
  expect(wasOthers(kept, 'z:1', 64)(5)).toBe(false);
});

test('nothing is read from what is no topology', () => {
  for (const found of [null, undefined, {}, { members: 'a' }, 7]) {
    expect(readKept(found)).toBeUndefined();
  }
});
