import fc from 'fast-check';
import { expect, test } from 'vitest';

import { Phrase, TextBuffer } from './text-buffer.ts';
import { viewOf } from './view.ts';

test('what was added comes out in order, however long', () => {
  const piece = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', '"', '\xe9'), maxLength: 200 }),
    fc.uint8Array({ maxLength: 200 }),
    fc.constant(new Uint8Array(100_000).fill(120)),
    fc.nat({ max: 2 ** 31 - 1 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = new TextBuffer();
      text.add('forgotten');
      text.clear();
      const expected: Uint8Array[] = [];
      for (const added of pieces) {
        if (typeof added === 'string') {
          text.add(added);
          text.addPhrase(new Phrase(added));
          expected.push(Buffer.from(added, 'latin1'), Buffer.from(added, 'latin1'));
        } else if (typeof added === 'number') {
          text.addBase36(added);
          expected.push(Buffer.from(added.toString(36)));
        } else {
          const around = Buffer.concat([Buffer.from('<'), added, Buffer.from('>')]);
          text.copy(around, 1, 1 + added.length);
          text.copyView(viewOf(around), 1, 1 + added.length);
          expected.push(added, added);
        }
      }
      expect(text.bytes.equals(Buffer.concat(expected))).toBe(true);
      expect(text.length).toBe(text.bytes.length);
      text.free();
    }),
  );
});
