import { expect, test } from 'vitest';

import { matchTarget } from './routes.ts';
import { keyOf } from './key.ts';

/** The path of the route that a target leads to, its key as written, and its query. */
function leadsTo(target: string): string[] | undefined {
  const match = matchTarget(target);
  return match && [match.route.path, match.writtenKey, match.query];
}

test.each([
  ['/v1/keys', ['/v1/keys', '', '']],
  ['/v1/keys?limit=2', ['/v1/keys', '', 'limit=2']],
  ['/v1/keys/a', ['/v1/keys/{key}', 'a', '']],
  ['/v1/keys/a?b?c', ['/v1/keys/{key}', 'a', 'b?c']],
  ['/v1/keys/', ['/v1/keys/{key}', '', '']],
  ['/v1/keys/.', ['/v1/keys/{key}', '.', '']],
  ['/v1/keys/..', ['/v1/keys/{key}', '..', '']],
  ['/v1/keys/a%2Fb', ['/v1/keys/{key}', 'a%2Fb', '']],
  ['/v1/keys/index', ['/v1/keys/{key}', 'index', '']],
  ['/v1/keys/a/index?index=2', ['/v1/keys/{key}/index', 'a', 'index=2']],
  ['/v1/keys/index/index', ['/v1/keys/{key}/index', 'index', '']],
  ['/v1/keys/a/item', ['/v1/keys/{key}/item', 'a', '']],
  ['/v1/keys//item', ['/v1/keys/{key}/item', '', '']],
  ['/v1/keys/a?b/index', ['/v1/keys/{key}', 'a', 'b/index']],
  ['/v1/nodes', ['/v1/nodes', '', '']],
  ['http://127.0.0.1:8001/v1/keys/a', ['/v1/keys/{key}', 'a', '']],
])('%s leads to %j', (target, place) => {
  expect(leadsTo(target)).toEqual(place);
});

test.each([
  '',
  '*',
  '/',
  '/v1',
  '/v1/',
  '/v2/keys',
  '/V1/keys',
  '/v1/keysx',
  '//v1/keys',
  '/v1/nodes/',
  '/v1/keys/a/',
  '/v1/keys/a/b',
  '/v1/keys/a/b/index',
  '/v1/keys/a/index/',
  '/v1/keys/a/Index',
  '/v1/keys/a%2Findex/',
])('%j leads nowhere', (target) => {
  expect(leadsTo(target)).toBeUndefined();
});

test('a key has 1 to 4,096 bytes, however they are written', () => {
  expect(keyOf('')).toMatchObject({ code: 'INVALID_KEY', detail: expect.stringContaining('none') });
  expect(keyOf('x'.repeat(4096))).toHaveLength(4096);
  expect(keyOf('%61'.repeat(4096))).toHaveLength(4096);
  expect(keyOf('x'.repeat(4097))).toMatchObject({ code: 'INVALID_KEY' });
  expect(keyOf('%C3%A9'.repeat(2048))).toHaveLength(4096);
  expect(keyOf('%C3%A9'.repeat(2048) + 'x')).toMatchObject({ code: 'INVALID_KEY' });
  expect(keyOf('%ff')).toMatchObject({ code: 'INVALID_KEY' });
});
