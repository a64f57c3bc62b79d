import { expect, test } from 'vitest';

import { NO_META } from '../record/reply.ts';
import { conditionOf, entityTag } from './condition.ts';

const versions = (list: string, header: 'if-match' | 'if-none-match' = 'if-none-match') =>
  conditionOf({ header: (name) => (name === header ? list : undefined) });

test('a tag is a quoted string that tells every index and every creation apart', () => {
  const tags = [1, 2].flatMap((index) =>
    [5, 1_795_395_420_123_456].map((createdAt) => entityTag({ ...NO_META, index, createdAt })),
  );
  expect(new Set(tags).size).toBe(4);
  for (const tag of tags) expect(tag).toMatch(/^"[\w-]+"$/);
});

test('a tag that a record shows is read back as its version', () => {
  const tag = entityTag({ ...NO_META, index: 7, createdAt: 1234 });
  expect(versions(tag)).toEqual({ ifMatch: undefined, ifNoneMatch: [tag.slice(1, -1)] });
});

test('no header is no condition', () => {
  expect(conditionOf({ header: () => undefined })).toBeUndefined();
});

test.each([
  ['*', '*'],
  [' * ', '*'],
  ['"a"', ['a']],
  ['""', ['']],
  ['"a", "b","c"', ['a', 'b', 'c']],
  ['"a,b"', ['a,b']],
  ['"*"', ['*']],
  [', "a" ,, "b" , ', ['a', 'b']],
  ['W/"a", "b"', ['a', 'b']],
])('If-None-Match: %s lists %j', (list, expected) => {
  expect(versions(list)).toEqual({ ifMatch: undefined, ifNoneMatch: expected });
});

test('If-Match compares strongly: a weak tag matches nothing', () => {
  expect(versions('W/"a"', 'if-match')).toEqual({ ifMatch: [], ifNoneMatch: undefined });
  expect(versions('W/"a", "b"', 'if-match')).toEqual({ ifMatch: ['b'], ifNoneMatch: undefined });
});

test.each(['', ' ', ',', 'a', '"a', 'a"', '"a" "b"', '"a"b', '*, "a"', 'w/"a"', '"a b"', '"\x7f"'])(
  'If-None-Match: %j is refused',
  (list) => {
    expect(versions(list)).toMatchObject({
      code: 'INVALID_CONDITION',
      detail: expect.stringMatching(/^If-None-Match takes/),
    });
  },
);

test('a list has at most 64 tags', () => {
  expect(versions(Array(64).fill('"a"').join())).toMatchObject({ ifNoneMatch: { length: 64 } });
  expect(versions(Array(65).fill('"a"').join())).toMatchObject({ code: 'INVALID_CONDITION' });
});
