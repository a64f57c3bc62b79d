import { expect, test } from 'vitest';

import { keyFromText, type Key } from '../base/key.ts';
import { KeySpace } from './keys.ts';
import { NextKeys, type Place } from './next-keys.ts';

const space = new KeySpace('' as Key);
const key = (text: string) => keyFromText(text)!;

/** The keys as a list gives them, in passes of so much memory; each key is seen twice. */
function listed(keys: readonly Key[], bytesMax: number): { keys: Key[]; passes: number } {
  const found: Key[] = [];
  let passes = 0;
  let from: Place = { slot: 0 };
  for (; from.slot < 16_384; passes++) {
    const next = new NextKeys(space, from, bytesMax);
    for (const some of [...keys, ...keys.toReversed()]) next.add(some);
    for (const piece of next.pieces()) found.push(...piece);
    from = next.next;
  }
  return { keys: found, passes };
}

const spread = Array.from({ length: 3000 }, (_, n) => key(`key ${n}`));
const ofOneSlot = Array.from({ length: 2500 }, (_, n) => key(`{slot}${n}`));

test.each([
  ['of many slots', spread],
  ['of one slot', ofOneSlot],
  ['of a large slot among others', [...spread, ...ofOneSlot]],
])('keys %s come once each and in order, however little memory there is', (_, keys) => {
  const whole = listed(keys, Infinity);
  expect(whole.passes).toBe(1);
  expect(new Set(whole.keys)).toEqual(new Set(keys));
  const slots = whole.keys.map((some) => space.slotOf(some));
  expect(slots).toEqual(slots.toSorted((a, b) => a - b));
  const inPasses = listed(keys, 20_000);
  expect(inPasses.keys).toEqual(whole.keys);
  expect(inPasses.passes).toBeGreaterThan(10);
});

test('a pass goes on behind the key that it is told', () => {
  const [first, ...others] = listed(ofOneSlot, Infinity).keys;
  const next = new NextKeys(space, { slot: space.slotOf(first!), after: first! }, Infinity);
  for (const some of ofOneSlot) next.add(some);
  expect([...next.pieces()].flat()).toEqual(others);
  for (const piece of next.pieces()) expect(piece.length).toBeLessThanOrEqual(1000);
});
