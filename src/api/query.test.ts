import { expect, test } from 'vitest';

import { parseQuery } from './query.ts';

const NAMES = ['prefix', 'limit'] as const;

test.each([
  ['', {}],
  ['&&', {}],
  ['prefix=a', { prefix: 'a' }],
  ['prefix', { prefix: '' }],
  ['prefix=', { prefix: '' }],
  ['prefix=a=b', { prefix: 'a=b' }],
  ['prefix=a+b%2Bc', { prefix: 'a b+c' }],
  ['limit=2&prefix=%C3%A9', { limit: '2', prefix: 'é' }],
  ['prefix=%2525', { prefix: '%25' }],
])('%j says %j', (query, parameters) => {
  expect(parseQuery(query, NAMES)).toEqual(parameters);
});

test.each([
  ['Prefix=a', 'the parameters here are prefix, limit (a question mark in a key is written %3F)'],
  [
    'constructor=1',
    'the parameters here are prefix, limit (a question mark in a key is written %3F)',
  ],
  [
    '__proto__=1',
    'the parameters here are prefix, limit (a question mark in a key is written %3F)',
  ],
  ['limit=1&limit=1', 'limit is given twice'],
  ['prefix=%', 'prefix is not percent-encoded UTF-8'],
  ['prefix=%ff', 'prefix is not percent-encoded UTF-8'],
])('%j is refused: %s', (query, detail) => {
  expect(parseQuery(query, NAMES)).toMatchObject({ code: 'INVALID_PARAMETER', detail });
});

test('where there are no parameters the answer says how a key is written', () => {
  expect(parseQuery('b', [])).toMatchObject({ detail: expect.stringContaining('%3F') });
});
