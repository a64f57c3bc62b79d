// A node with a data directory: what survives its end, of whatever kind.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';

import type { Key } from '../../src/base/key.ts';
import { partitionOf } from '../../src/base/partition.ts';
import { DataDirectory } from '../../src/disk/directory.ts';
import { entryName, entryOf } from '../../src/disk/format.ts';
import { NO_META } from '../../src/record/reply.ts';
import { ask, pathOf, put, type Answer } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Ledger } from '../support/ledger.ts';
import { NodeProcess } from '../support/node-process.ts';
import { seededRandom } from '../support/random.ts';
import { TestCluster } from '../support/test-cluster.ts';

/** Kills of a node with -fsync always, and those who write to it meanwhile. */
const KILLS = Number(process.env['KILLS'] ?? 20);
const WRITERS = 8;

const made: string[] = [];

afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

function newPath(): string {
  const path = mkdtempSync(join(tmpdir(), 'memhashd-disk-'));
  made.push(path);
  return path;
}

test('a node that is stopped comes back with its records, their meta, its id and their order', async () => {
  const dir = newPath();
  let before: unknown[];
  let keys: string;
  {
    await using node = await NodeProcess.start(['-data-dir', dir]);
    for (let at = 0; at < 50; at++) await put(node.url, `key ${at}`, `{"n": ${at}.0}`);
    await put(node.url, 'key 1', '[1, 2]');
    await put(node.url, 'gone', '1');
    await ask(node.url, 'DELETE', pathOf('gone'));
    before = await all(node.url);
    keys = (await ask(node.url, 'GET', '/v1/keys')).text;
    node.signal('SIGTERM');
    expect((await node.ended()).code).toBe(0);
  }
  await using node = await NodeProcess.start(['-data-dir', dir]);
  expect((await ask(node.url, 'GET', '/v1/keys')).text).toBe(keys);
  expect(await all(node.url)).toEqual(before);
  expect((await ask(node.url, 'GET', pathOf('gone'))).status).toBe(404);
  expect(await node.logged('records are read back')).toMatchObject({ records: 50, expired: 0 });
});

test('what edits and expire have made of a record is there after a kill', async () => {
  const flags = ['-data-dir', newPath(), '-fsync', 'always'];
  const headers = { 'Content-Type': 'application/json' };
  {
    await using node = await NodeProcess.start(flags);
    await put(node.url, 'doc', '{"n": 1, "list": []}');
    const merge = { 'Content-Type': 'application/merge-patch+json' };
    await ask(node.url, 'PATCH', pathOf('doc'), { headers: merge, body: '{"a": true}' });
    await ask(node.url, 'POST', `${pathOf('doc')}/increment`, {
      headers,
      body: '{"by": 41, "pointer": "/n"}',
    });
    await ask(node.url, 'POST', `${pathOf('doc')}/append`, {
      headers,
      body: '{"values": [7], "pointer": "/list"}',
    });
    const expiry = await ask(node.url, 'POST', `${pathOf('doc')}/expire`, {
      headers,
      body: '{"expire_time": "1h"}',
    });
    expect(expiry.status).toBe(200);
    await node.kill();
  }
  await using node = await NodeProcess.start(flags);
  const { body } = await ask(node.url, 'GET', pathOf('doc'));
  expect(body).toMatchObject({
    data: { n: 42, list: [7], a: true },
    meta: { expire_time: '1h0m0s' },
  });
});

/** The values of key 0 to key 49 with their meta, but for the time of the access and the node's address. */
async function all(url: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for (let at = 0; at < 50; at++) {
    const { text } = await ask(url, 'GET', pathOf(`key ${at}`));
    found.push(text.replace(/"(accessed_at|addr)":"[^"]*"/g, ''));
  }
  return found;
}

test(`kill -9 under writers with -fsync always, ${KILLS} times: what was acknowledged is there`, async () => {
  const flags = ['-data-dir', newPath(), '-fsync', 'always'];
  const random = seededRandom('kills');
  const ledger = new Ledger(random);
  for (let kill = 0; kill < KILLS; kill++) {
    await using node = await NodeProcess.start(flags);
    await ledger.verify((key) => ask(node.url, 'GET', pathOf(key)));
    const last = ledger.writes + 50 + Math.floor(random() * 300);
    const writer = async (at: number): Promise<void> => {
      while (await ledger.write(at, node.url)) {
        if (ledger.writes === last) node.signal('SIGKILL');
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, at) => writer(at)));
    expect(await node.exit).toEqual({ code: null, signal: 'SIGKILL' });
  }
  expect(ledger.writes).toBeGreaterThanOrEqual(KILLS * 50);
});

test.each(['interval', 'none'])(
  'with -fsync %s a kill loses nothing that the process has written',
  async (fsync) => {
    const flags = ['-data-dir', newPath(), '-fsync', fsync];
    {
      await using node = await NodeProcess.start(flags);
      for (let at = 0; at < 100; at++) await put(node.url, `key ${at}`, `"value ${at}."`);
      const records = join(flags[1]!, 'records');
      await eventually(() => {
        const logs = readdirSync(records).filter((name) => name.endsWith('.log'));
        const texts = logs.map((name) => readFileSync(join(records, name), 'latin1'));
        expect(texts.join('')).toContain('"value 99."');
      });
      await node.kill();
    }
    await using node = await NodeProcess.start(flags);
    await node.logged('records are read back', { records: 100 });
  },
);

test('while records are read back every request is answered 503, then all are there', async () => {
  const path = newPath();
  const records = 80_000;
  await fill(path, records);
  const addresses = ['-client-addr', '127.0.0.1:0', '-server-addr', '127.0.0.1:0'];
  // A node that verifies its memory meanwhile would take far longer.
  const env = { MEMHASHD_CHECK: '0' };
  await using node = new NodeProcess([...addresses, '-data-dir', path], { env });
  const url = `http://${String((await node.logged('listening'))['client'])}`;
  const headers = { 'Content-Type': 'application/json' };
  const send = (method: string, target: string, body?: string): Promise<Answer> =>
    ask(url, method, target, body === undefined ? {} : { headers, body });
  const requests = [
    send('GET', '/readyz'),
    send('GET', pathOf('key 1')),
    send('PUT', pathOf('key 1'), '{"data":1}'),
    send('DELETE', pathOf('key 1')),
    send('GET', '/v1/keys'),
    send('GET', '/v1/nodes'),
    send('POST', '/v1/snapshot'),
  ];
  const batch = send('POST', '/v1/batch', '[{"load":"key 1"}]');
  for (const { status, body } of await Promise.all(requests)) {
    expect({ status, code: body.code }).toEqual({ status: 503, code: 'NOT_READY' });
  }
  expect((await batch).json).toMatchObject({ results: [{ status: 503 }] });
  await node.logged('records are read back', { records });
  await node.logged('serving');
  expect((await ask(url, 'GET', '/readyz')).status).toBe(200);
  expect((await ask(url, 'GET', pathOf('key 1'))).body.data).toBe(1);
});

/** Makes a directory with the records `key 0` to `key ${count - 1}`, each its number. */
async function fill(path: string, count: number): Promise<void> {
  const identity = { partitions: 16_384, id: randomUUID(), hashKey: [1, 2] } as const;
  const directory = await DataDirectory.open(path, identity);
  for (let from = 0; from < count; from += 1000) {
    const batch = directory.records.batch();
    for (let at = from; at < from + 1000; at++) {
      const key = `key ${at}` as Key;
      const bytes = Buffer.from(String(at));
      const name = entryName(partitionOf(key, identity.partitions), key);
      const value = { bytes, start: 0, end: bytes.length };
      const meta = { ...NO_META, index: 1 };
      batch.put(name, entryOf(name, { key, meta, value, deadline: Infinity }));
    }
    await batch.write();
  }
  await directory.close();
}

test('a directory in use, and one of another num-partitions, are refused in a line', async () => {
  const dir = newPath();
  const addresses = ['-client-addr', '127.0.0.1:0', '-server-addr', '127.0.0.1:0'];
  const flags = [...addresses, '-data-dir', dir];
  {
    await using node = await NodeProcess.start(['-data-dir', dir]);
    const second = await NodeProcess.run(flags);
    expect(second.code).toBe(1);
    expect(second.stderr).toBe(`memhashd: ${dir} is in use by another process\n`);
    await node.kill();
  }
  const other = await NodeProcess.run([...flags, '-num-partitions', '8']);
  expect(other.code).toBe(1);
  expect(other.stderr).toMatch(/was made with -num-partitions 16384/);
});

test('a node without a data directory does not load LevelDB', async () => {
  await using node = await NodeProcess.start();
  const maps = readFileSync(`/proc/${node.pid}/maps`, 'utf8');
  expect(maps).not.toContain('classic-level');
});

test('three nodes restarted one after the other under load, and then all at once, lose nothing', async () => {
  const root = newPath();
  await using cluster = await TestCluster.of();
  const start = (n: number): NodeProcess =>
    cluster.start(n, cluster.peers(3), ['-data-dir', join(root, String(n))]);
  for (const n of [1, 2, 3]) start(n);
  await cluster.formed();
  const ledger = new Ledger(seededRandom('restarts'));
  const load = { isOver: false };
  const writer = async (at: number): Promise<void> => {
    while (!load.isOver) {
      // A node that is down refuses at once: not again and again in the same turn.
      if (!(await ledger.write(at, cluster.url((at % 3) + 1)))) await delay(10);
    }
  };
  const writers = Promise.all([0, 1, 2, 3, 4, 5].map(writer));
  const verify = (): Promise<void> => ledger.verify((key) => cluster.ask(1, 'GET', key));
  for (const n of [1, 2, 3]) {
    const before = ledger.writes;
    await eventually(() => expect(ledger.writes).toBeGreaterThan(before + 50));
    cluster.node(n).signal('SIGTERM');
    expect((await cluster.node(n).ended()).code).toBe(0);
    start(n);
    await cluster.formed();
  }
  load.isOver = true;
  await writers;
  await verify();
  for (const n of [1, 2, 3]) cluster.node(n).signal('SIGKILL');
  for (const n of [1, 2, 3]) await cluster.node(n).ended();
  for (const n of [1, 2, 3]) start(n);
  await cluster.formed();
  await verify();
});
