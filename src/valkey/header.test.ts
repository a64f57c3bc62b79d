import { expect, test } from 'vitest';

import { versionOf } from '../record/version.ts';
import { decodeMeta, encodeTtl, encodeVersion, HEADER_BYTES } from './header.ts';

/** A header as the store script writes it. */
function headerOf({ ttlNs }: { ttlNs: bigint }): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(254, 0);
  header.write(timeHex(1_795_000_000_000_001), 1, 'hex');
  header.writeUIntBE(2 ** 40 + 7, 8, 6);
  header.write('00ff10a0b1', 14, 'hex');
  header.write(timeHex(1_795_000_000_000_002), 19, 'hex');
  encodeTtl(ttlNs).copy(header, 26);
  header.write(timeHex(1_795_000_000_000_003), 35, 'hex');
  return header;
}

const timeHex = (time: number): string => time.toString(16).padStart(14, '0');

test('a header has all meta', () => {
  expect(decodeMeta(headerOf({ ttlNs: 0n }))).toEqual({
    createdAt: 1_795_000_000_000_001,
    index: 2 ** 40 + 7,
    salt: '00ff10a0b1',
    updatedAt: 1_795_000_000_000_002,
    ttlNs: 0n,
    accessedAt: 1_795_000_000_000_003,
  });
});

test.each([1n, 999n, 1000n, 1001n, 10_000_000_000n, 2n ** 63n - 1n, 2n ** 63n - 1001n])(
  'a time to live of %i ns comes back exactly',
  (ttlNs) => {
    expect(decodeMeta(headerOf({ ttlNs })).ttlNs).toBe(ttlNs);
  },
);

test('a version names the bytes of its header, and text that is no version none', () => {
  const header = headerOf({ ttlNs: 0n });
  const version = versionOf(decodeMeta(header));
  expect(encodeVersion(version)).toEqual(header.subarray(1, 19));
  for (const text of [
    '',
    'x',
    '1-2-3',
    `${version}0`,
    version.toUpperCase(),
    'zzzzzzz-0-1-0000000000',
  ]) {
    expect(encodeVersion(text)).toBeUndefined();
  }
});
