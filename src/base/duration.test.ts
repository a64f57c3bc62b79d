import fc from 'fast-check';
import { expect, test } from 'vitest';

import { formatDuration, parseDuration } from './duration.ts';

const NS = 1n;
const US = 1000n;
const MS = 1_000_000n;
const S = 1_000_000_000n;
const M = 60n * S;
const H = 60n * M;
const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

const int64 = fc.oneof(
  fc.bigInt({ min: MIN, max: MAX }),
  fc.bigInt({ min: 0n, max: 48n }).chain((bits) => fc.bigInt({ min: 0n, max: 2n ** (15n + bits) })),
  fc
    .tuple(fc.constantFrom(NS, US, MS, S, M, H), fc.bigInt({ min: -5000n, max: 5000n }))
    .map(([unit, count]) => unit * count),
);

test.each([
  // Plain, signed, fractions.
  ['0', 0n],
  ['5s', 5n * S],
  ['30s', 30n * S],
  ['1478s', 1478n * S],
  ['-5s', -5n * S],
  ['+5s', 5n * S],
  ['-0', 0n],
  ['+0', 0n],
  ['5.0s', 5n * S],
  ['5.6s', 5600n * MS],
  ['5.s', 5n * S],
  ['.5s', 500n * MS],
  ['1.0s', S],
  ['1.00s', S],
  ['1.004s', 1004n * MS],
  ['1.0040s', 1004n * MS],
  ['100.00100s', 100_001n * MS],
  ['0s', 0n],
  ['-.5s', -500n * MS],
  ['007s', 7n * S],
  [`${'0'.repeat(100_000)}1s`, S],
  // Units.
  ['10ns', 10n],
  ['11us', 11n * US],
  ['12µs', 12n * US],
  ['12μs', 12n * US],
  ['13ms', 13n * MS],
  ['14s', 14n * S],
  ['15m', 15n * M],
  ['16h', 16n * H],
  // Several terms, in any order, a unit more than once.
  ['3h30m', 3n * H + 30n * M],
  ['10.5s4m', 4n * M + 10_500n * MS],
  ['-2m3.4s', -(2n * M + 3400n * MS)],
  ['1h2m3s4ms5us6ns', H + 2n * M + 3n * S + 4n * MS + 5n * US + 6n],
  ['39h9m14.425s', 39n * H + 9n * M + 14_425n * MS],
  ['1s1s', 2n * S],
  // Precision and the bounds of int64.
  ['52763797000ns', 52_763_797_000n],
  ['0.3333333333333333333h', 20n * M],
  ['9007199254740993ns', 9_007_199_254_740_993n],
  ['9223372036854775807ns', MAX],
  ['9223372036854775.807us', MAX],
  ['9223372036s854ms775us807ns', MAX],
  ['-9223372036854775808ns', MIN],
  ['-9223372036854775.808us', MIN],
  ['-9223372036s854ms775us808ns', MIN],
  ['0.100000000000000000000h', 6n * M],
  ['0.830103483285477580700h', 49n * M + 48n * S + 372_539_827n],
  ['0.9999999999ns', 0n],
  ['1.9ns', 1n],
  ['-1.9ns', -1n],
  [`0.${'0'.repeat(400)}1h`, 0n],
  [`0.${'9'.repeat(400)}s`, S],
])('%s is what Go parses', (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});

const UNREADABLE =
  '3 - + s . -. .s +.s 00 0. .0 1d 1.5 10x 1S 1e3s 1.2.3s 1..s --1s +-1s 1s-1s 1sm';
const FOREIGN = 's1 1,5s 0x1s ١s １s 1µ Infinitys NaN \xffff';
const TOO_LARGE =
  '9223372036854775810ns 9223372036854775808ns -9223372036854775809ns 9223372036854776us 3000000h ' +
  '9223372036854775.808us 9223372036854ms775us808ns 2562047h47m16.854775808s ' +
  `9223372036854775807ns1ns ${'9'.repeat(100_000)}ns`;

test.each(['', ' 1s', '1s ', '1 s', ...`${UNREADABLE} ${FOREIGN} ${TOO_LARGE}`.split(' ')])(
  '%j is an error, as in Go',
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);

test('terms that wrap around uint64, which Go takes for 0, are an error', () => {
  expect(parseDuration('9223372036854775808ns9223372036854775808ns')).toBeUndefined();
});

test.each([
  [0n, '0s'],
  [1n, '1ns'],
  [999n, '999ns'],
  [1100n, '1.1µs'],
  [1500n, '1.5µs'],
  [2_200_000n, '2.2ms'],
  [999_999_999n, '999.999999ms'],
  [1500n * MS, '1.5s'],
  [3300n * MS, '3.3s'],
  [10n * S, '10s'],
  [90n * S, '1m30s'],
  [M, '1m0s'],
  [M + 1n, '1m0.000000001s'],
  [4n * M + 5n * S, '4m5s'],
  [4n * M + 5001n * MS, '4m5.001s'],
  [H, '1h0m0s'],
  [5n * H + 6n * M + 7001n * MS, '5h6m7.001s'],
  [8n * M + 1n, '8m0.000000001s'],
  [100n * H, '100h0m0s'],
  [2n ** 53n - 1n, '2501h59m59.254740991s'],
  [2n ** 53n + 1n, '2501h59m59.254740993s'],
  [MAX, '2562047h47m16.854775807s'],
  [MIN, '-2562047h47m16.854775808s'],
  [-1n, '-1ns'],
  [-90n * S, '-1m30s'],
])('%i ns prints as %s, as in Go', (ns, expected) => {
  expect(formatDuration(ns)).toBe(expected);
});

test('what is printed parses to the same', () => {
  fc.assert(
    fc.property(int64, (ns) => {
      expect(parseDuration(formatDuration(ns))).toBe(ns);
    }),
  );
});

test('what is printed has no term that could be left out', () => {
  fc.assert(
    fc.property(int64, (ns) => {
      expect(formatDuration(ns)).toMatch(
        /^(0s|-?[1-9]\d{0,2}ns|-?[1-9]\d{0,2}(\.\d*[1-9])?(µs|ms)|-?(([1-9]\d*h)?([1-5]?\d)m)?[1-5]?\d(\.\d*[1-9])?s)$/u,
      );
    }),
  );
});

test('printing around whole minutes, seconds and the bound of exact numbers is exact', () => {
  const edge = fc.tuple(fc.constantFrom(S, M, H), fc.bigInt({ min: 0n, max: MAX }));
  fc.assert(
    fc.property(edge, fc.bigInt({ min: -2n, max: 2n }), ([unit, near], offset) => {
      const ns = near - (near % unit) + offset;
      expect(parseDuration(formatDuration(ns))).toBe(ns);
    }),
  );
});

test('terms add up', () => {
  const terms = fc.array(
    fc.record({
      count: fc.bigInt({ min: 0n, max: 10n ** 6n }),
      unit: fc.constantFrom(['ns', NS], ['us', US], ['µs', US], ['ms', MS], ['s', S], ['m', M]),
    }),
    { minLength: 1, maxLength: 5 },
  );
  fc.assert(
    fc.property(terms, fc.constantFrom('', '+', '-'), (list, sign) => {
      const text = list.map(({ count, unit: [name] }) => `${count}${name}`).join('');
      const total = list.reduce((sum, { count, unit: [, ns] }) => sum + count * ns, 0n);
      expect(parseDuration(sign + text)).toBe(sign === '-' ? -total : total);
    }),
  );
});

test('no text makes it throw', () => {
  const text = fc.string({ unit: fc.constantFrom(...Array.from('0123456789.+-nuµmsh ')) });
  fc.assert(
    fc.property(fc.oneof(text, fc.string()), (written) => {
      const ns = parseDuration(written) ?? 0n;
      expect(ns >= MIN && ns <= MAX).toBe(true);
    }),
  );
});
