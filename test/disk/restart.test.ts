// A node with a data directory: what survives its end, of whatever kind.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

import { ask, pathOf, put } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { NodeProcess } from '../support/node-process.ts';
import { seededRandom } from '../support/random.ts';
import { TestCluster } from '../support/test-cluster.ts';

/** Kills of a node with -fsync always, and those who write to it meanwhile. */
const KILLS = 20;
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
  const dir = newPath();
  const random = seededRandom('kills');
  const flags = ['-data-dir', dir, '-fsync', 'always'];
  /** For each key what its last acknowledged value is, and one that was sent and not acknowledged. */
  const acknowledged = new Map<string, string | undefined>();
  const uncertain = new Map<string, string | undefined>();
  let writes = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    await using node = await NodeProcess.start(flags);
    for (const [key, value] of acknowledged) {
      const answer = await ask(node.url, 'GET', pathOf(key));
      const found = answer.status === 404 ? undefined : JSON.stringify(answer.body.data);
      const allowed = uncertain.has(key) ? [value, uncertain.get(key)] : [value];
      expect(allowed.map((text) => `${key} ${text}`)).toContain(`${key} ${found}`);
      acknowledged.set(key, found);
    }
    uncertain.clear();
    const last = writes + 50 + Math.floor(random() * 300);
    const write = async (writer: number): Promise<void> => {
      for (;;) {
        const key = `${writer}:${Math.floor(random() * 20)}`;
        const value = random() < 0.2 ? undefined : String(writes);
        uncertain.set(key, value);
        const answer = await (value === undefined
          ? ask(node.url, 'DELETE', pathOf(key))
          : put(node.url, key, value)
        ).catch(() => undefined);
        if (answer === undefined) return;
        expect(answer.status).toBe(200);
        acknowledged.set(key, value);
        uncertain.delete(key);
        if (++writes === last) node.signal('SIGKILL');
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
    await node.exit;
  }
  expect(writes).toBeGreaterThan(KILLS * 50);
});

test('with -fsync interval a kill loses nothing that the process has written', async () => {
  const dir = newPath();
  {
    await using node = await NodeProcess.start(['-data-dir', dir, '-fsync-interval', '10ms']);
    for (let at = 0; at < 100; at++) await put(node.url, `key ${at}`, `"value ${at}."`);
    await eventually(() => {
      const logs = readdirSync(join(dir, 'records')).filter((name) => name.endsWith('.log'));
      const texts = logs.map((name) => readFileSync(join(dir, 'records', name), 'latin1'));
      expect(texts.join('')).toContain('"value 99."');
    });
    await node.kill();
  }
  await using node = await NodeProcess.start(['-data-dir', dir]);
  await node.logged('records are read back', { records: 100 });
});

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

test('three nodes restarted one after the other, and then all at once, lose nothing', async () => {
  const root = newPath();
  await using cluster = await TestCluster.of();
  const start = (n: number): NodeProcess =>
    cluster.start(n, cluster.peers(3), ['-data-dir', join(root, String(n))]);
  for (const n of [1, 2, 3]) start(n);
  await cluster.formed();
  for (let at = 0; at < 300; at++) {
    expect((await put(cluster.url(1), `key ${at}`, String(at))).status).toBe(200);
  }
  const expectAll = async (): Promise<void> => {
    for (let at = 0; at < 300; at++) {
      const answer = await cluster.ask((at % 3) + 1, 'GET', `key ${at}`);
      expect(answer.body, `key ${at}`).toMatchObject({ data: at, meta: { index: 1 } });
    }
  };
  for (const n of [1, 2, 3]) {
    cluster.node(n).signal('SIGTERM');
    await cluster.node(n).ended();
    start(n);
    await cluster.formed();
  }
  await expectAll();
  for (const n of [1, 2, 3]) cluster.node(n).signal('SIGKILL');
  for (const n of [1, 2, 3]) await cluster.node(n).ended();
  for (const n of [1, 2, 3]) start(n);
  await cluster.formed();
  await expectAll();
});
