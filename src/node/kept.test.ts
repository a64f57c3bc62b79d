import { expect, test } from 'vitest';

import { joinsOf, readKept, wasOthers } from './kept.ts';

const kept = readKept({ clusterId: 'c', epoch: 3, members: ['a:1', 'b:1', 'c:1'] })!;

test('a node waits for those that it was a member with, and not for others of -join', () => {
  const joins = joinsOf(['b:1', 'd:1'], kept, 'a:1');
  expect(joins).toEqual({ join: ['b:1', 'c:1'], hints: ['d:1'] });
  const lastOne = readKept({ epoch: 2, members: ['a:1'] });
  expect(joinsOf(['b:1'], lastOne, 'a:1')).toEqual({ join: [], hints: ['b:1'] });
});

test('a node that has left, was alone, or has another address now, waits for those of -join', () => {
  const joins = { join: ['b:1'], hints: [] };
  expect(joinsOf(['b:1'], { ...kept, hasLeft: true }, 'a:1')).toEqual(joins);
  expect(joinsOf(['b:1'], kept, 'z:1')).toEqual(joins);
  expect(joinsOf(['b:1'], undefined, 'a:1')).toEqual(joins);
  const alone = readKept({ epoch: 1, members: ['a:1'] });
  expect(joinsOf(['b:1'], alone, 'a:1')).toEqual(joins);
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
