import { expect, test } from 'vitest';

import { crc32c } from './crc32c.ts';

// RFC 3720, B.4
test.each([
  [Buffer.alloc(32), 0x8a9136aa],
  [Buffer.alloc(32, 0xff), 0x62a8ab43],
  [Buffer.from(Array.from({ length: 32 }, (_, at) => at)), 0x46dd794e],
  [Buffer.from('123456789'), 0xe3069283],
])('the CRC of %j is %d', (bytes, expected) => {
  expect(crc32c(bytes, 0, bytes.length)).toBe(expected);
  const within = Buffer.concat([Buffer.of(1), bytes, Buffer.of(2)]);
  expect(crc32c(within, 1, 1 + bytes.length)).toBe(expected);
});
