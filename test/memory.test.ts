import { expect, test } from 'vitest';

import { ask, get, pathOf, put } from './support/client.ts';
import { expectProblem } from './contract.ts';
import { eventually } from './support/eventually.ts';
import { NodeProcess } from './support/node-process.ts';

const VALUE = `"${'v'.repeat(100_000)}"`;

/** Stores `count` values of 100 kB; returns the statuses of the answers. */
async function fill(url: string, count: number): Promise<number[]> {
  const statuses = [];
  for (let at = 0; at < count; at++) statuses.push((await put(url, `key-${at}`, VALUE)).status);
  return statuses;
}

async function list(url: string): Promise<string[]> {
  return (await ask(url, 'GET', '/v1/keys')).json as string[];
}

test('a full node answers 507 to what needs more memory, and everything else as before', async () => {
  await using node = await NodeProcess.start(['-max-memory', '8mib']);
  const statuses = await fill(node.url, 100);
  const stored = statuses.filter((status) => status === 200).length;
  expect(stored).toBeGreaterThan(70);
  expect(statuses.slice(stored)).toEqual(Array(100 - stored).fill(507));
  expectProblem(await put(node.url, 'one-more', VALUE), 507, 'MEMORY_FULL');
  expect((await get(node.url, 'key-0')).status).toBe(200);
  expect((await put(node.url, 'key-0', VALUE.replaceAll('v', 'w'))).status).toBe(200);
  expect((await ask(node.url, 'DELETE', pathOf('key-1'))).status).toBe(200);
  expect((await put(node.url, 'one-more', VALUE)).status).toBe(200);
});

test('-eviction lru makes room at the cost of what was not used for longest', async () => {
  await using node = await NodeProcess.start(['-max-memory', '8mib', '-eviction', 'lru']);
  const statuses = await fill(node.url, 300);
  expect(statuses).toEqual(Array(300).fill(200));
  const left = await list(node.url);
  expect(left.length).toBeGreaterThan(70);
  expect(left).toContain('key-299');
  expect(left).not.toContain('key-0');
});

test('-num-partitions and hash tags change nothing that a client sees', async () => {
  for (const partitions of ['1', '7', '65536']) {
    await using node = await NodeProcess.start(['-num-partitions', partitions]);
    const names = Array.from({ length: 200 }, (_, at) => (at % 2 ? `key-${at}` : `{tag}-${at}`));
    for (const name of names) await put(node.url, name, '1');
    expect((await list(node.url)).toSorted()).toEqual(names.toSorted());
    for (const name of names) expect((await get(node.url, name)).status).toBe(200);
  }
});

test('memory goes back to the system after mass deletion, and after mass expiry', async () => {
  // A check of a node's own memory takes memory itself.
  await using node = await NodeProcess.start([], { MEMHASHD_CHECK: '' });
  const residentMib = (): number => node.residentBytes() / 2 ** 20;
  const emptyMib = residentMib();
  const names = Array.from({ length: 1200 }, (_, at) => `key-${at}`);
  const value = JSON.stringify('v'.repeat(250_000));
  const remove = (name: string) => ask(node.url, 'DELETE', pathOf(name));
  const letExpire = (name: string) => put(node.url, name, value, { expireTime: '1ms' });
  // More than once: an allocator may learn which sizes come again, and keep those to itself.
  for (const end of [remove, letExpire]) {
    for (const name of names) await put(node.url, name, value);
    expect(residentMib()).toBeGreaterThan(emptyMib + 280);
    for (const name of names) await end(name);
    // What is left is V8's: of the bodies that it has read it keeps some 70 MiB, no matter how many.
    await eventually(() => expect(residentMib()).toBeLessThan(emptyMib + 140));
  }
});

test('records that expire leave a node as if they had never been there', async () => {
  await using node = await NodeProcess.start(['-max-memory', '8mib']);
  const expiring = { expireTime: '50ms' };
  for (let at = 0; at < 200; at++) {
    // Four times what the memory holds: it must come back without anybody reading the keys.
    await eventually(async () => {
      expect((await put(node.url, `key-${at}`, VALUE, expiring)).status).toBe(200);
    });
  }
  await eventually(async () => expect(await list(node.url)).toEqual([]));
  node.signal('SIGTERM');
  expect(await node.ended()).toMatchObject({ code: 0 });
});
