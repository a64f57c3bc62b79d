import fc from 'fast-check';
import { expect, test } from 'vitest';

import { isTooDeep } from './depth.ts';

function tooDeep(text: string, limit: number): boolean {
  const bytes = Buffer.from(text);
  return isTooDeep(bytes, 0, bytes.length, limit);
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test('text is too deep from one level beyond the limit on', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(3), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      const depth = depthOf(value);
      expect(tooDeep(text, depth)).toBe(false);
      expect(tooDeep(text, depth - 1)).toBe(depth > 0);
    }),
  );
});

test.each([
  ['[[]]', 2, false],
  ['[[]]', 1, true],
  ['[{"a": []}]', 2, true],
  ['[[], [], [], []]', 2, false],
  ['["[[[[[["]', 1, false],
  ['["\\"[[[[["]', 1, false],
  ['["\\\\", [[]]]', 2, true],
])('%s is deeper than %i: %s', (text, limit, expected) => {
  expect(tooDeep(text, limit)).toBe(expected);
});

test('200,000 levels are told without recursion, closed or not', () => {
  const open = '['.repeat(200_000);
  expect(tooDeep(open, 512)).toBe(true);
  expect(tooDeep(open, 199_999)).toBe(true);
  expect(tooDeep(open + ']'.repeat(200_000), 200_000)).toBe(false);
});

test('only the bytes from start to end count', () => {
  const bytes = Buffer.from('[[[[ [1] ]]]]');
  expect(isTooDeep(bytes, 5, 8, 1)).toBe(false);
  expect(isTooDeep(bytes, 4, 8, 0)).toBe(true);
});

test('no bytes make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.nat(4), (bytes, limit) => {
      expect(isTooDeep(bytes, 0, bytes.length, limit)).toBeTypeOf('boolean');
    }),
  );
});
