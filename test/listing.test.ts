import { afterAll, beforeAll, expect, test } from 'vitest';

import { ask, get, put, type Answer } from './support/client.ts';
import { expectProblem } from './contract.ts';
import { NodeProcess } from './support/node-process.ts';
import { exchange, Wire } from './support/wire.ts';

const KEYS = 100_000;

const names = Array.from({ length: KEYS }, (_, n) => `key-${n.toString().padStart(6, '0')}`);

let node: NodeProcess;
beforeAll(async () => {
  node = await NodeProcess.start();
  const head = 'HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n';
  const requests = names.map((name) => `PUT /v1/keys/${name} ${head}\r\n{"data":1}`);
  const end = 'DELETE /v1/keys/end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  await exchange(node.port, requests.join('') + end);
});
afterAll(() => node[Symbol.asyncDispose]());

const list = (query: string) => ask(node.url, 'GET', `/v1/keys${query}`);

/** The address of the page after this one. */
function nextOf({ headers }: Answer): string | undefined {
  const link = headers['link'];
  if (link === undefined) return undefined;
  expect(link).toMatch(/^<\/v1\/keys\?[^>]+>; rel="next"$/);
  return /<(.*)>/.exec(String(link))?.[1];
}

/** Follows the pages from `target` to the last. */
async function pages(target: string): Promise<string[][]> {
  const found: string[][] = [];
  for (let next: string | undefined = target; next !== undefined; ) {
    const answer: Answer = await ask(node.url, 'GET', next);
    expect(answer.status).toBe(200);
    found.push(answer.json as string[]);
    next = nextOf(answer);
  }
  return found;
}

test('the whole list is streamed and has each key once', async () => {
  const answer = await list('');
  expect(answer.headers['transfer-encoding']).toBe('chunked');
  expect(answer.text.endsWith(']\n')).toBe(true);
  expect((answer.json as string[]).toSorted()).toEqual(names);
});

test('a short list has a length', async () => {
  const answer = await list('?prefix=key-00000');
  expect(answer.headers['content-length']).toBe(String(answer.bytes.length));
  expect((answer.json as string[]).toSorted()).toEqual(names.slice(0, 10));
});

test.each(['?prefix=nope', '?prefix=key-0000000', '?limit=1&prefix=%00'])(
  '%s lists nothing',
  async (query) => {
    expect(await list(query)).toMatchObject({ status: 200, text: '[]\n' });
  },
);

test('pages of 10,000 keys have each key once', async () => {
  const found = await pages('/v1/keys?limit=10000');
  expect(found.map((page) => page.length)).toEqual(Array(10).fill(10_000));
  expect(found.flat().toSorted()).toEqual(names);
});

test('pages of a prefix have each of its keys once, also one by one', async () => {
  const found = await pages('/v1/keys?prefix=key-0000&limit=7');
  expect(found.slice(0, -1).every((page) => page.length === 7)).toBe(true);
  expect(found.flat().toSorted()).toEqual(names.slice(0, 100));
  expect((await pages('/v1/keys?prefix=key-00000&limit=1')).flat()).toHaveLength(10);
});

test('a key that is there throughout is listed once though others come and go', async () => {
  const first = await list('?limit=5000&prefix=key-0');
  const [gone = ''] = (first.json as string[]).slice(-1);
  await ask(node.url, 'DELETE', `/v1/keys/${gone}`);
  await put(node.url, 'key-000000x', '1');
  const found = [first.json as string[], ...(await pages(nextOf(first) ?? ''))].flat();
  await ask(node.url, 'DELETE', '/v1/keys/key-000000x');
  await put(node.url, gone, '1');
  expect(new Set(found).size).toBe(found.length);
  expect(found).toEqual(expect.arrayContaining(names.slice(0, 10)));
});

test.each([
  'limit=0',
  'limit=10001',
  'limit=-1',
  'limit=1.5',
  'limit=x',
  'limit=',
  'limit=1&limit=1',
  'cursor=%%',
  'cursor=*',
  `prefix=${'x'.repeat(4097)}`,
  'prefix=%ff',
  'page=2',
])('?%s is 400', async (query) => {
  expectProblem(await list(`?${query}`), 400, 'INVALID_PARAMETER');
});

test('HEAD has the headers of a page, the link among them', async () => {
  const { date: _, ...expected } = (await list('?limit=3')).headers;
  const head = await ask(node.url, 'HEAD', '/v1/keys?limit=3');
  expect(head).toMatchObject({ status: 200, text: '', headers: expected });
});

test('readers that do not read a list hold up nobody', async () => {
  const slow = await Promise.all(Array.from({ length: 5 }, () => Wire.open(node.port)));
  for (const { socket } of slow) {
    socket.pause();
    socket.write('GET /v1/keys HTTP/1.1\r\nHost: x\r\n\r\n');
  }
  expect(await get(node.url, 'key-000001')).toMatchObject({ status: 200 });
  expect((await list('')).json).toHaveLength(KEYS);
  const [reader] = slow;
  reader?.socket.resume();
  expect(await reader?.receives(/\r\n0\r\n\r\n$/)).toContain('"key-099999"');
  for (const wire of slow) wire[Symbol.dispose]();
  expect(await get(node.url, 'key-000001')).toMatchObject({ status: 200 });
});
