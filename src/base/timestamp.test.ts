import fc from 'fast-check';
import { expect, test } from 'vitest';

import { formatTimestamp } from './timestamp.ts';

const DAY_US = 86_400_000_000;

/** What `Date` prints, with the three digits that it does not know. */
function withDate(us: number): string {
  const milliseconds = new Date(Math.floor(us / 1000)).toISOString().slice(0, -1);
  return `${milliseconds}${`${us % 1000}`.padStart(3, '0')}Z`;
}

test.each([
  [0, '0001-01-01T00:00:00Z'],
  [1, '1970-01-01T00:00:00.000001Z'],
  [951_782_400_000_000, '2000-02-29T00:00:00.000000Z'],
  [1_795_395_420_123_456, '2026-11-23T00:57:00.123456Z'],
  [4_107_542_399_999_999, '2100-02-28T23:59:59.999999Z'],
  [4_107_542_400_000_000, '2100-03-01T00:00:00.000000Z'],
  [Number.MAX_SAFE_INTEGER, '2255-06-05T23:47:34.740991Z'],
])('%i us is %s', (us, expected) => {
  expect(formatTimestamp(us)).toBe(expected);
});

test('every time is what Date prints', () => {
  fc.assert(
    fc.property(fc.maxSafeNat().filter(Boolean), (us) => {
      expect(formatTimestamp(us)).toBe(withDate(us));
    }),
  );
});

test('the first and the last microsecond of every day are what Date prints', () => {
  const days = Math.floor(Number.MAX_SAFE_INTEGER / DAY_US);
  const wrong = Array.from({ length: days }, (_, day) => (day + 1) * DAY_US)
    .flatMap((us) => [us - 1, us])
    .filter((us) => formatTimestamp(us) !== withDate(us));
  expect(wrong).toEqual([]);
});

test('the order of the texts is the order of the times', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
      expect(formatTimestamp(a) < formatTimestamp(b)).toBe(a < b);
    }),
  );
});
