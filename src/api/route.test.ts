import { expect, test } from 'vitest';

import { keyOf, methodsOf, routeOf } from './route.ts';

test.each([
  ['/v1/keys', { name: 'keys', query: '' }],
  ['/v1/keys?limit=2', { name: 'keys', query: 'limit=2' }],
  ['/v1/keys/a', { name: 'key', segment: 'a', query: '' }],
  ['/v1/keys/a?b?c', { name: 'key', segment: 'a', query: 'b?c' }],
  ['/v1/keys/', { name: 'key', segment: '', query: '' }],
  ['/v1/keys/.', { name: 'key', segment: '.', query: '' }],
  ['/v1/keys/..', { name: 'key', segment: '..', query: '' }],
  ['/v1/keys/a%2Fb', { name: 'key', segment: 'a%2Fb', query: '' }],
  ['/v1/keys/index', { name: 'key', segment: 'index', query: '' }],
  ['/v1/keys/a/index?index=2', { name: 'index', segment: 'a', query: 'index=2' }],
  ['/v1/keys/index/index', { name: 'index', segment: 'index', query: '' }],
  ['/v1/keys/a/item', { name: 'item', segment: 'a', query: '' }],
  ['/v1/keys//item', { name: 'item', segment: '', query: '' }],
  ['/v1/keys/a?b/index', { name: 'key', segment: 'a', query: 'b/index' }],
  ['/v1/nodes', { name: 'nodes', query: '' }],
  ['http://127.0.0.1:8001/v1/keys/a', { name: 'key', segment: 'a', query: '' }],
])('%s is a route', (target, route) => {
  expect(routeOf(target)).toEqual(route);
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
])('%j is no route', (target) => {
  expect(routeOf(target)).toBeUndefined();
  expect(methodsOf(routeOf(target))).toEqual([]);
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
