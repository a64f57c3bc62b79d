import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { Key } from '../../base/key.ts';
import { viewOf } from '../../base/view.ts';
import { PackedKey } from './packed-key.ts';

const bytes = fc.uint8Array({ maxLength: 40 });
const keyOf = (array: Uint8Array) => Buffer.from(array).toString('latin1') as Key;

/** Memory full of ones, in which a key is written three words from the start. */
function written(array: Uint8Array): Uint32Array {
  const memory = new Uint32Array(20).fill(0xffffffff);
  new PackedKey().pack(keyOf(array)).write(memory, 3);
  return memory;
}

test('a key is written byte for byte, and at most three bytes behind it', () => {
  fc.assert(
    fc.property(bytes, (array) => {
      const found = Buffer.from(written(array).buffer);
      const end = 12 + array.length;
      expect(found.subarray(12, end)).toEqual(Buffer.from(array));
      expect([...found.subarray(0, 12), ...found.subarray((end + 3) & ~3)]).toEqual(
        Array(12 + 80 - ((end + 3) & ~3)).fill(0xff),
      );
    }),
  );
});

test('a key is told from every other of its length, whatever lies behind it', () => {
  fc.assert(
    fc.property(bytes, fc.nat(), fc.integer({ min: 1, max: 255 }), (array, at, change) => {
      const memory = written(array);
      const packed = new PackedKey().pack(keyOf(array));
      Buffer.from(memory.buffer).fill(0xaa, 12 + array.length);
      expect(packed.isAt(memory, 3)).toBe(true);
      if (array.length === 0) return;
      Buffer.from(memory.buffer)[12 + (at % array.length)]! ^= change;
      expect(packed.isAt(memory, 3)).toBe(false);
    }),
  );
});

test('a key that is read is the key that was written, whatever was packed before', () => {
  fc.assert(
    fc.property(bytes, bytes, (array, before) => {
      const memory = written(array);
      Buffer.from(memory.buffer).fill(0xaa, 12 + array.length);
      const read = new PackedKey().pack(keyOf(before)).read(memory, 3, array.length);
      const packed = new PackedKey().pack(keyOf(array));
      const words = (array.length >>> 2) + 1;
      expect(read.length).toBe(packed.length);
      expect(read.words.subarray(0, words)).toEqual(packed.words.subarray(0, words));
    }),
  );
});

test('bytes are packed as the string of them is, wherever they lie', () => {
  fc.assert(
    fc.property(bytes, bytes, bytes, (array, before, behind) => {
      const packed = new PackedKey().pack(keyOf(array));
      const all = viewOf(Buffer.concat([before, array, behind]));
      const start = before.length;
      const other = new PackedKey().pack(keyOf(behind)).packBytes(all, start, start + array.length);
      expect(other.length).toBe(packed.length);
      const words = (array.length >>> 2) + 1;
      expect(other.words.subarray(0, words)).toEqual(packed.words.subarray(0, words));
    }),
  );
});
