import fc from 'fast-check';
import { expect, test } from 'vitest';

import { TextBuffer } from '../base/text-buffer.ts';
import { NO_META } from './reply.ts';
import { versionOf, writeVersion } from './version.ts';

test('a version is written as it is printed', () => {
  const index = fc.oneof(fc.nat(100), fc.nat({ max: 2 ** 32 - 1 }));
  const createdAt = fc.oneof(fc.nat(2 ** 29), fc.maxSafeNat());
  const salt = fc.constantFrom({}, { salt: '0a1b2c3d4e' });
  fc.assert(
    fc.property(index, createdAt, salt, (count, time, salted) => {
      const meta = { ...NO_META, index: count, createdAt: time, ...salted };
      const text = new TextBuffer();
      writeVersion(text, meta);
      expect(text.bytes.toString()).toBe(versionOf(meta));
      text.free();
    }),
  );
});
