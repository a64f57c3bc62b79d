// What takes long must not hold up what does not: each case once stopped a node for everybody else.
import { afterAll, beforeAll, expect, test } from 'vitest';

import { ask, dataOf, get, pathOf, put, type Answer } from './support/client.ts';
import { NodeProcess } from './support/node-process.ts';

const MIB = 1024 * 1024;
const BIG_BYTES = 15 * MIB;

let node: NodeProcess;
beforeAll(async () => {
  // A heap in which what is only to be checked or searched has no room as objects.
  node = await NodeProcess.start([], { NODE_OPTIONS: '--max-old-space-size=256' });
  await put(node.url, 'small', '1');
});
afterAll(async () => {
  expect(dataOf(await get(node.url, 'small'))).toBe('1');
  node.signal('SIGTERM');
  expect(await node.ended()).toMatchObject({ code: 0 });
});

/** A list of about 15 MiB. */
function listOf(element: string): { text: string; last: number } {
  const last = Math.floor(BIG_BYTES / (element.length + 1));
  return { text: `[${`${element},`.repeat(last)}"the last"]`, last };
}

/** Whether a small request that came later was answered before the last of these. */
async function overtakes(requests: readonly Promise<Answer>[]): Promise<boolean> {
  const order: string[] = [];
  const all = Promise.all(requests).then(() => order.push('all'));
  while (!order.includes('all')) {
    await get(node.url, 'small');
    order.push('small');
  }
  await all;
  return order[0] === 'small';
}

test.each([
  ['empty objects', '{}'],
  ['empty lists', '[]'],
  ['numbers', '1'],
  ['members', '{"a":1,"b":[2]}'],
])('15 MiB of %s are checked, stored and loaded with a heap of 256 MiB', async (_, element) => {
  const { text } = listOf(element);
  const stored = await put(node.url, 'big', text);
  expect(stored.status).toBe(200);
  expect(dataOf(await get(node.url, 'big'))).toBe(text);
  const broken = { body: `{"data":${text}]`, headers: { 'Content-Type': 'application/json' } };
  expect(await ask(node.url, 'PUT', pathOf('big'), broken)).toMatchObject({ status: 400 });
});

test('an item is found among a million names that are not ASCII, or escaped', async () => {
  const members = Array.from({ length: 500_000 }, (_, n) => `"é${n % 7}":1,"\\u00e9x":2`);
  await put(node.url, 'names', `{${members.join(',')},"\\u00e9nd":"found"}`);
  const answer = ask(node.url, 'GET', `${pathOf('names')}/item?item=${encodeURIComponent('énd')}`);
  expect(await overtakes([answer])).toBe(true);
  expect(dataOf(await answer)).toBe('"found"');
});

test('small requests overtake those that search 15 MiB', async () => {
  const { text, last } = listOf('[]');
  await put(node.url, 'big', text);
  const targets = [`/index?index=${last}`, `?pointer=/${last}`, `/index?index=${last}`];
  const searches = targets.map((target) => ask(node.url, 'GET', pathOf('big') + target));
  expect(await overtakes(searches)).toBe(true);
  for (const search of searches) expect(dataOf(await search)).toBe('"the last"');
});

test('small requests overtake those that store and patch 15 MiB', async () => {
  const { text, last } = listOf('{}');
  const stores = Array.from({ length: 4 }, (_, n) => put(node.url, `big${n}`, text));
  expect(await overtakes(stores)).toBe(true);
  const body = `[{"op":"replace","path":"/${last}","value":"another"}]`;
  const headers = { 'Content-Type': 'application/json-patch+json' };
  const patch = ask(node.url, 'PATCH', pathOf('big0'), { headers, body });
  expect(await overtakes([patch])).toBe(true);
  expect(dataOf(await patch).slice(-11)).toBe(',"another"]');
});

test('small requests overtake lists that match nothing, however many they are', async () => {
  for (let batch = 0; batch < 5; batch++) {
    const stores = Array.from({ length: 10_000 }, (_, n) => ({
      store: `k:${batch}:${n}`,
      data: n,
    }));
    const headers = { 'Content-Type': 'application/json' };
    await ask(node.url, 'POST', '/v1/batch', { headers, body: JSON.stringify(stores) });
  }
  const lists = Array.from({ length: 40 }, () => ask(node.url, 'GET', '/v1/keys?prefix=none'));
  expect(await overtakes(lists)).toBe(true);
  for (const list of lists) expect((await list).text).toBe('[]\n');
});
