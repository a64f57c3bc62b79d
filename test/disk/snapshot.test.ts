// Snapshots of a node that serves, and nodes that begin with one.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

import { ask, pathOf, put } from '../support/client.ts';
import { NodeProcess } from '../support/node-process.ts';
import { TestCluster } from '../support/test-cluster.ts';

const made: string[] = [];

afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

function newPath(): string {
  const path = mkdtempSync(join(tmpdir(), 'memhashd-disk-'));
  made.push(path);
  return path;
}

interface Facts {
  readonly file: string;
  readonly records: number;
  readonly bytes: number;
}

async function snapshot(node: NodeProcess): Promise<Facts> {
  const answer = await ask(node.url, 'POST', '/v1/snapshot');
  expect(answer.status).toBe(200);
  return answer.json as Facts;
}

/** A snapshot of 200 records, two of which expire: one within a millisecond. */
async function snapshotOf200(dir: string): Promise<string> {
  await using node = await NodeProcess.start(['-data-dir', dir]);
  for (let at = 0; at < 198; at++) await put(node.url, `key ${at}`, `{"n": ${at}.0}`);
  await put(node.url, 'key 0', '"again"');
  await put(node.url, 'lasting', '1', { expireTime: '1h' });
  await put(node.url, 'short', '1', { expireTime: '1ms' });
  const { file, records, bytes } = await snapshot(node);
  expect([199, 200]).toContain(records);
  expect(readFileSync(file)).toHaveLength(bytes);
  return file;
}

test('a node that begins with a snapshot has all its records, with their meta', async () => {
  const file = await snapshotOf200(newPath());
  // One in memory only, one with a directory, and one whose keys are divided otherwise.
  for (const flags of [[], ['-data-dir', newPath()], ['-num-partitions', '7']]) {
    await using node = await NodeProcess.start(['-restore', file, ...flags]);
    await node.logged('a snapshot is restored', { records: 199 });
    const again = await ask(node.url, 'GET', pathOf('key 0'));
    expect(again.body).toMatchObject({ data: 'again', meta: { index: 2 } });
    const lasting = await ask(node.url, 'GET', pathOf('lasting'));
    expect(lasting.body).toMatchObject({ meta: { index: 1, expire_time: '1h0m0s' } });
    expect((await ask(node.url, 'GET', pathOf('key 197'))).text).toContain('{"n": 197.0}');
    expect((await ask(node.url, 'GET', pathOf('short'))).status).toBe(404);
  }
});

test('what was restored is there after a restart, and is not restored over what came later', async () => {
  const file = await snapshotOf200(newPath());
  const flags = ['-data-dir', newPath(), '-restore', file];
  {
    await using node = await NodeProcess.start(flags);
    await ask(node.url, 'DELETE', pathOf('key 1'));
    node.signal('SIGTERM');
    await node.ended();
  }
  await using node = await NodeProcess.start(flags);
  await node.logged('nothing is restored: there are records already');
  expect((await ask(node.url, 'GET', pathOf('key 1'))).status).toBe(404);
  expect((await ask(node.url, 'GET', pathOf('key 2'))).status).toBe(200);
});

test('a snapshot goes into a cluster of another size through any of its nodes', async () => {
  const file = await snapshotOf200(newPath());
  await using cluster = await TestCluster.of();
  for (const n of [1, 2, 3]) cluster.start(n, cluster.peers(3), n === 2 ? ['-restore', file] : []);
  await cluster.formed();
  await cluster.node(2).logged('a snapshot is restored', { records: 199 });
  const owners = new Set<string | undefined>();
  for (let at = 1; at < 198; at++) {
    const { body } = await cluster.ask((at % 3) + 1, 'GET', `key ${at}`);
    expect(body).toMatchObject({ data: { n: at }, meta: { index: 1 } });
    owners.add(body.node?.addr);
  }
  expect(owners.size).toBe(3);
});

test('a snapshot under writers is of one moment: nothing without what was stored before it', async () => {
  const dir = newPath();
  let file: string;
  {
    await using node = await NodeProcess.start(['-data-dir', dir]);
    const writers = { areOver: false };
    const writer = async (): Promise<void> => {
      for (let at = 0; !writers.areOver; at++)
        await put(node.url, `key ${at}`, `"${'v'.repeat(1000)}"`);
    };
    const writing = writer();
    for (let taken = 0; taken < 5; taken++) await snapshot(node);
    ({ file } = await snapshot(node));
    writers.areOver = true;
    await writing;
    // As many as -snapshots says, the latest ones.
    expect(readdirSync(join(dir, 'snapshots'))).toHaveLength(3);
  }
  await using node = await NodeProcess.start(['-restore', file]);
  const { records } = await node.logged('a snapshot is restored');
  for (let at = 0; at < Number(records); at++) {
    expect((await ask(node.url, 'GET', pathOf(`key ${at}`))).status).toBe(200);
  }
});

test('a snapshot that is damaged or cut short, or none, is refused in a line', async () => {
  const file = await snapshotOf200(newPath());
  const bytes = readFileSync(file);
  const flipped = Buffer.from(bytes);
  flipped[5000] = flipped[5000]! ^ 1;
  const harmed = join(newPath(), 'harmed.snapshot');
  const addresses = ['-client-addr', '127.0.0.1:0', '-server-addr', '127.0.0.1:0'];
  for (const [content, reason] of [
    [flipped, /it is damaged/],
    [bytes.subarray(0, 5000), /its end is missing/],
    [Buffer.from('{"a":1}\n'), /no snapshot/],
    [Buffer.from(''), /its end is missing/],
  ] as const) {
    writeFileSync(harmed, content);
    const { code, stderr } = await NodeProcess.run([...addresses, '-restore', harmed]);
    expect(code).toBe(1);
    expect(stderr.trim().split('\n').at(-1)).toMatch(reason);
  }
  const missing = await NodeProcess.run([...addresses, '-restore', '/none']);
  expect(missing.stderr).toContain('/none cannot be opened: ENOENT');
});

test('a node without a data directory has no snapshots', async () => {
  await using node = await NodeProcess.start();
  const answer = await ask(node.url, 'POST', '/v1/snapshot');
  expect(answer.status).toBe(501);
  expect(answer.body).toMatchObject({ code: 'NOT_SUPPORTED' });
});
