// What a Prometheus server scrapes, and what operators are told of it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { ask, get, put, type Answer } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { NodeProcess } from '../support/node-process.ts';
import { TestCluster } from '../support/test-cluster.ts';
import { exchange } from '../support/wire.ts';

const root = join(import.meta.dirname, '../..');

const directory = mkdtempSync(join(tmpdir(), 'memhashd-metrics-'));

let node: NodeProcess;
beforeAll(async () => {
  node = await NodeProcess.start(['-max-memory', '8mib', '-data-dir', join(directory, 'data')]);
  await put(node.url, 'a', '1', { expireTime: '1h' });
  await put(node.url, 'b', '1');
  await get(node.url, 'missing');
  await ask(node.url, 'BREW', '/v1/keys').catch(() => {});
  await ask(node.url, 'GET', '/nowhere');
  await exchange(node.port, 'nonsense\r\n\r\n');
});
afterAll(async () => {
  await node[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

/** The lines of `/metrics` by name and labels. */
async function scrape(url = node.url): Promise<Map<string, number>> {
  const answer = await ask(url, 'GET', '/metrics');
  expect(answer.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = answer.text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

test('requests by route, method and status, never by key', async () => {
  const values = await scrape();
  const count = (route: string, method: string, status: number) =>
    values.get(
      `memhashd_http_request_seconds_count{route="${route}",method="${method}",status="${status}"}`,
    );
  expect(count('/v1/keys/{key}', 'PUT', 200)).toBe(2);
  expect(count('/v1/keys/{key}', 'GET', 404)).toBe(1);
  expect(count('none', 'GET', 404)).toBe(1);
  expect(values.get('memhashd_http_refused_total{code="MALFORMED_REQUEST"}')).toBe(1);
  expect([...values.keys()].join('\n')).not.toContain('missing');
});

test('records, bytes, members', async () => {
  const values = await scrape();
  expect(values.get('memhashd_records')).toBe(2);
  expect(values.get('memhashd_records_expiring')).toBe(1);
  expect(values.get('memhashd_store_live_bytes')).toBeGreaterThan(0);
  expect(values.get('memhashd_store_max_bytes')).toBe(8 * 2 ** 20);
  expect(values.get('memhashd_disk_failed')).toBe(0);
  expect(values.get('memhashd_store_moved_bytes_total')).toBe(0);
  expect(values.get('memhashd_ready')).toBe(1);
  expect(values.get('memhashd_members')).toBe(1);
  expect(values.get('memhashd_partitions_owned')).toBe(16_384);
});

test('changes are written to the disk in batches', async () => {
  await eventually(async () => {
    const values = await scrape();
    expect(values.get('memhashd_disk_batches_total')).toBeGreaterThan(0);
    expect(values.get('memhashd_disk_bytes')).toBeGreaterThan(0);
  });
});

function postBatch(operations: unknown): Promise<Answer> {
  const headers = { 'Content-Type': 'application/json' };
  return ask(node.url, 'POST', '/v1/batch', { headers, body: JSON.stringify(operations) });
}

test('operations of batches are counted, those of a batch that is refused are not', async () => {
  expect((await postBatch([{ load: 'a' }, { load: 'b' }, { delete: 'c' }])).status).toBe(200);
  expect((await postBatch([{ load: 'a' }, { lode: 'b' }])).status).toBe(400);
  expect((await scrape()).get('memhashd_batch_operations_total')).toBe(3);
});

/** The names of the metrics that a node shows, histograms by their own. */
async function shownNames(): Promise<Set<string>> {
  const { text } = await ask(node.url, 'GET', '/metrics');
  return new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name!));
}

test('docs/operations.md explains every metric of memhashd, and no other', async () => {
  const documented = readFileSync(join(root, 'docs/operations.md'), 'utf8');
  const rows = [...documented.matchAll(/^\| `(memhashd_\w+)` \| \w+ \|/gm)].map(
    ([, name]) => name!,
  );
  const own = [...(await shownNames())].filter((name) => !/^memhashd_(process|nodejs)_/.test(name));
  expect(rows.toSorted()).toEqual(own.toSorted());
});

test('the dashboard asks for metrics that there are', async () => {
  const names = await shownNames();
  const dashboard = readFileSync(join(root, 'deploy/grafana/memhashd.json'), 'utf8');
  const { panels } = JSON.parse(dashboard) as { panels: { targets?: { expr: string }[] }[] };
  const asked = panels.flatMap(({ targets = [] }) =>
    targets.flatMap(({ expr }) => expr.match(/\bmemhashd_\w+/g) ?? []),
  );
  expect(asked.length).toBeGreaterThan(10);
  for (const name of asked) expect(names).toContain(name.replace(/_(bucket|count|sum)$/, ''));
});

test('links to other members: whether they are there, how often made, what waits', async () => {
  await using cluster = await TestCluster.form(2);
  const peer = cluster.peer(2);
  const values = await scrape(cluster.url(1));
  expect(values.get('memhashd_members')).toBe(2);
  expect(values.get(`memhashd_peer_up{peer="${peer}"}`)).toBe(1);
  expect(values.get(`memhashd_peer_links_made_total{peer="${peer}"}`)).toBeGreaterThan(0);
  expect(values.get(`memhashd_peer_requests_waiting{peer="${peer}"}`)).toBe(0);
  const traffic = async (): Promise<number[]> => {
    const now = await scrape(cluster.url(1));
    return ['sent', 'received'].map(
      (way) => now.get(`memhashd_peer_${way}_bytes_total{peer="${peer}"}`)!,
    );
  };
  const before = await traffic();
  const value = `"${'x'.repeat(1000)}"`;
  let owner: string | undefined;
  for (let n = 0; owner !== peer; n++) {
    owner = (await put(cluster.url(1), `key ${n}`, value)).body.node?.addr;
  }
  // The value went there, and came back in the answer.
  for (const [at, bytes] of (await traffic()).entries()) {
    expect(bytes - before[at]!).toBeGreaterThan(1000);
  }
  await cluster.node(2).kill();
  await eventually(async () => {
    expect((await scrape(cluster.url(1))).get(`memhashd_peer_up{peer="${peer}"}`)).toBe(0);
  });
});
