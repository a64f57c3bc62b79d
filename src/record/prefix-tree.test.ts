import fc from 'fast-check';
import { expect, test } from 'vitest';

import { PrefixTree } from './prefix-tree.ts';

test('what stands at prefixes of a text is found, wherever they part', () => {
  const tree = new PrefixTree<string>();
  for (const prefix of ['user:1', 'user:12', 'use', 'us', '', 'user:2']) tree.set(prefix, prefix);
  expect(tree.along('user:12')).toEqual(['', 'us', 'use', 'user:1', 'user:12']);
  expect(tree.along('user:')).toEqual(['', 'us', 'use']);
  expect(tree.along('u')).toEqual(['']);
  expect(tree.along('vser:1')).toEqual(['']);
});

test('prefixes as long as keys, each the beginning of the next, are found and forgotten', () => {
  const tree = new PrefixTree<number>();
  const long = 'a'.repeat(4096);
  for (let length = 1; length <= 4096; length++) tree.set(long.slice(0, length), length);
  expect(tree.along(long)).toHaveLength(4096);
  for (let length = 1; length <= 4096; length++) tree.delete(long.slice(0, length));
  expect(tree.along(long)).toEqual([]);
});

test('property: it is a Map of which a text is asked for all that it begins with', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'ÿ'), maxLength: 5 });
  const steps = fc.array(fc.record({ prefix: text, isSet: fc.boolean() }), { maxLength: 40 });
  fc.assert(
    fc.property(steps, fc.array(text), (all, texts) => {
      const tree = new PrefixTree<number>();
      const model = new Map<string, number>();
      for (const [n, { prefix, isSet }] of all.entries()) {
        if (isSet) tree.set(prefix, n);
        else tree.delete(prefix);
        if (isSet) model.set(prefix, n);
        else model.delete(prefix);
      }
      for (const each of texts) {
        const ends = Array.from({ length: each.length + 1 }, (_, end) => each.slice(0, end));
        expect(tree.along(each)).toEqual(ends.flatMap((end) => model.get(end) ?? []));
        expect(tree.get(each)).toBe(model.get(each));
      }
    }),
  );
});
