import fc from 'fast-check';
import { expect, test } from 'vitest';

import { keyFromPath, keyFromText, keyText, type Key } from './key.ts';
import { partitionOf, partitionOfRange } from './partition.ts';
import { viewOf } from './view.ts';

// Not fast-check's own `binary` unit, which takes a second to set up.
const character = fc
  .integer({ min: 0, max: 0x10_ffff })
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code));
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: character }),
  fc.string({ unit: fc.constantFrom('a', '%', '/', '+', 'é', '😀', '\0') }),
);

const utf8 = (key: Key) => Buffer.from(key, 'latin1');
const partition = (key: string) => partitionOf(keyFromText(key)!, 16_384);

test('a key is the bytes of its text, and the text comes back', () => {
  fc.assert(
    fc.property(text, (written) => {
      const key = keyFromText(written)!;
      expect(utf8(key)).toEqual(Buffer.from(written));
      expect(keyText(key)).toBe(written);
    }),
  );
});

test('a lone surrogate has no key', () => {
  expect(keyFromText('\ud800')).toBeUndefined();
  expect(keyFromText('a\ude00\ud83d')).toBeUndefined();
  expect(keyFromText('\ud83d\ude00')).toBe('\xf0\x9f\x98\x80');
});

test('the order of keys is the order of their bytes', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(keyFromText(a)! < keyFromText(b)!).toBe(
        Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0,
      );
    }),
  );
});

test('a path segment names the same key percent-encoded, raw, or half of each', () => {
  const halfEncoded = fc.tuple(text, fc.infiniteStream(fc.nat(2))).map(([written, choices]) => {
    const units = Array.from(Buffer.from(written), (byte) => {
      const hex = byte.toString(16).padStart(2, '0');
      const choice = byte === 0x25 ? 0 : choices.next().value;
      return [`%${hex}`, `%${hex.toUpperCase()}`, String.fromCharCode(byte)][choice];
    });
    return { written, segment: units.join('') };
  });
  fc.assert(
    fc.property(halfEncoded, ({ written, segment }) => {
      expect(keyFromPath(segment)).toBe(keyFromText(written));
      expect(keyFromPath(encodeURIComponent(written))).toBe(keyFromText(written));
    }),
  );
});

test('a path segment has a key if and only if its bytes are UTF-8', () => {
  const fatal = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const segment = Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`);
      let expected: string | undefined;
      try {
        expected = fatal.decode(bytes);
      } catch {
        expected = undefined;
      }
      const key = keyFromPath(segment.join(''));
      expect(key === undefined ? undefined : keyText(key)).toBe(expected);
    }),
  );
});

test.each([
  ['name', 'name'],
  ['a+b', 'a+b'],
  ['.', '.'],
  ['%2E%2E', '..'],
  ['a%2Fb', 'a/b'],
  ['%2525', '%25'],
  ['__proto__', '__proto__'],
  ['%00', '\0'],
  ['', ''],
  ['%EF%BB%BFa', '\ufeffa'],
  ['%F0%9F%98%80', '😀'],
  ['\xf0\x9f\x98\x80', '😀'],
  ['\xf0%9F\x98%80', '😀'],
])('the segment %j names the key %j', (segment, expected) => {
  expect(keyText(keyFromPath(segment)!)).toBe(expected);
});

test.each([
  ['a lone percent sign', '%'],
  ['half an escape', 'a%4'],
  ['digits that are not hexadecimal', '%4g'],
  ['a sign among the digits', '%+4'],
  ['a stray continuation byte', '%80'],
  ['a raw byte that is not UTF-8', '\xff'],
  ['a character cut off', '%F0%9F%98'],
  ['an overlong form', '%C0%AF'],
  ['an encoded surrogate', '%ED%A0%80'],
  ['a code point past U+10FFFF', '%F4%90%80%80'],
])('a segment with %s names no key', (_, segment) => {
  expect(keyFromPath(segment)).toBeUndefined();
});

test("the checksum is CRC-16/XMODEM, as Redis Cluster's specification has it", () => {
  expect(partitionOf(keyFromText('123456789')!, 65_536)).toBe(0x31c3);
  expect(partition('123456789')).toBe(0x31c3);
  expect(partition('foo')).toBe(12_182);
  expect(partition('')).toBe(0);
});

// Examples of the Redis Cluster specification, section "Hash tags".
test.each([
  ['{user1000}.following', 'user1000'],
  ['{user1000}.followers', 'user1000'],
  ['foo{{bar}}zap', '{bar'],
  ['foo{bar}{zap}', 'bar'],
  ['}foo{bar}', 'bar'],
  ['{é}a', 'é'],
])('the partition of %s is that of its hash tag %s', (key, tag) => {
  expect(partition(key)).toBe(partition(tag));
});

test.each(['foo{}{bar}', 'foo{bar', 'foo}bar{', '{}', '{'])(
  'the whole of %s counts, since it has no hash tag',
  (key) => {
    expect(partition(key)).toBe(bitwiseCrc16(Buffer.from(key)) % 16_384);
  },
);

test('without a hash tag the partition is the checksum of all bytes', () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 65_536 }), (written, partitions) => {
      const key = keyFromText(written.replaceAll('{', ''))!;
      expect(partitionOf(key, partitions)).toBe(bitwiseCrc16(utf8(key)) % partitions);
    }),
  );
});

/** CRC-16/XMODEM by its definition: polynomial 0x1021, a bit at a time. */
function bitwiseCrc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
  }
  return crc;
}

test('a key has the same partition as a string and as bytes', () => {
  const keys = fc.oneof(text, fc.string({ unit: fc.constantFrom('{', '}', 'a', 'é') }));
  fc.assert(
    fc.property(keys, keys, (written, behind) => {
      const key = keyFromText(written)!;
      const bytes = viewOf(Buffer.from(`{${written}}${behind}`));
      expect(partitionOfRange(bytes, { start: 1, end: 1 + key.length }, 16_384)).toBe(
        partitionOf(key, 16_384),
      );
    }),
  );
});
