// Nodes with data directories whose cluster changes, and is stopped and started as a whole.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';

import { ask } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { seededRandom } from '../support/random.ts';
import { TestCluster } from '../support/test-cluster.ts';

const KEYS = 300;
const TEXT = 'v'.repeat(1000);

/** Crashes of all nodes while their members change. */
const CRASHES = Number(process.env['CRASHES'] ?? 2);

const made: string[] = [];

afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** Starts nodes of a cluster, each with its directory. */
function starter(
  cluster: TestCluster,
): (n: number, joins: readonly string[], flags?: readonly string[]) => NodeProcess {
  const root = mkdtempSync(join(tmpdir(), 'memhashd-disk-'));
  made.push(root);
  return (n, joins, flags = []) =>
    cluster.start(n, joins, ['-data-dir', join(root, String(n)), ...flags]);
}

async function fill(cluster: TestCluster): Promise<void> {
  for (let at = 0; at < KEYS; at++) {
    expect((await cluster.ask(1, 'PUT', `key ${at}`, dataOf(at))).status).toBe(200);
  }
}

/** All keys are there, from every one of so many nodes. */
async function expectAll(cluster: TestCluster, count: number): Promise<void> {
  for (let at = 0; at < KEYS; at++) {
    const { body } = await cluster.ask((at % count) + 1, 'GET', `key ${at}`);
    expect({ key: at, data: body.data }).toEqual({ key: at, data: dataOf(at) });
  }
}

function dataOf(at: number): string {
  return `${at} ${TEXT}`;
}

/** How many records the nodes hold together. */
async function held(cluster: TestCluster): Promise<number> {
  let records = 0;
  for (let n = 1; n <= cluster.nodes.length; n++) {
    const { text } = await cluster.get(n, '/metrics');
    records += Number(/^memhashd_records (\d+)$/m.exec(text)?.[1]);
  }
  return records;
}

interface Overview {
  readonly change: { readonly kind: string; readonly copied: readonly Copied[] } | null;
  readonly last: { readonly outcome: string; readonly reason: string } | null;
  readonly is_settled: boolean;
}

interface Copied {
  readonly partitions: number;
  readonly partitions_total: number;
}

async function overview(cluster: TestCluster, n: number): Promise<Overview> {
  return (await cluster.get(n, '/v1/topology')).json as Overview;
}

/** Waits until a change of members is under way: some partitions are copied, others are not. */
async function halfCopied(cluster: TestCluster, kind: string): Promise<void> {
  await eventually(async () => {
    const { change } = await overview(cluster, 1);
    const sum = (of: keyof Copied) => (change?.copied ?? []).reduce((all, at) => all + at[of], 0);
    expect(change?.kind).toBe(kind);
    expect(sum('partitions')).toBeGreaterThan(0);
    expect(sum('partitions')).toBeLessThan(sum('partitions_total'));
  });
}

/** Waits until no change is under way at any node, and none has anything left to give. */
async function settled(cluster: TestCluster): Promise<void> {
  for (let n = 1; n <= cluster.nodes.length; n++) {
    await eventually(async () =>
      expect(await overview(cluster, n)).toMatchObject({ change: null, is_settled: true }),
    );
  }
}

/** The meta of every key, but for the time of the last access. */
async function metas(cluster: TestCluster): Promise<unknown[]> {
  const found: unknown[] = [];
  for (let at = 0; at < KEYS; at++) {
    const { body } = await cluster.ask(1, 'GET', `key ${at}`);
    found.push({ ...body.meta, accessed_at: '' });
  }
  return found;
}

async function stop(cluster: TestCluster, count: number, signal: NodeJS.Signals): Promise<void> {
  for (let n = 1; n <= count; n++) cluster.node(n).signal(signal);
  for (let n = 1; n <= count; n++) await cluster.node(n).ended();
}

test('a node that has joined is a member again when all have been killed, and nothing is lost', async () => {
  await using cluster = await TestCluster.of();
  const start = starter(cluster);
  for (const n of [1, 2]) start(n, cluster.peers(2));
  await cluster.formed();
  await fill(cluster);
  start(3, [cluster.peer(1)]);
  await cluster.formed();
  await expectAll(cluster, 3);
  await stop(cluster, 3, 'SIGKILL');
  // The nodes 1 and 2 do not list node 3: they remember it.
  for (const n of [1, 2]) start(n, cluster.peers(2));
  start(3, [cluster.peer(1)]);
  await cluster.formed();
  await expectAll(cluster, 3);

  // Who has left is not waited for, though the others list it.
  await ask(cluster.url(1), 'DELETE', `/v1/nodes/${cluster.peer(3)}`);
  expect((await cluster.node(3).exit).code).toBe(0);
  cluster.nodes.pop();
  await cluster.formed();
  await stop(cluster, 2, 'SIGKILL');
  for (const n of [1, 2]) start(n, cluster.peers(3));
  await cluster.formed();
  await expectAll(cluster, 2);
});

test('a cluster that is stopped and started as a larger one gives records to who owns them now', async () => {
  await using cluster = await TestCluster.of();
  const start = starter(cluster);
  for (const n of [1, 2]) start(n, cluster.peers(2));
  await cluster.formed();
  await fill(cluster);
  await stop(cluster, 2, 'SIGTERM');
  for (const n of [1, 2, 3]) start(n, cluster.peers(3));
  await cluster.formed();
  await eventually(() => expectAll(cluster, 3));
  await stop(cluster, 3, 'SIGKILL');
  for (const n of [1, 2, 3]) start(n, cluster.peers(3));
  await cluster.formed();
  await expectAll(cluster, 3);
});

test(`a node joins and all are killed meanwhile, ${CRASHES} times: the cluster forms, and nothing is lost`, async () => {
  const random = seededRandom('crashes');
  for (let crash = 0; crash < CRASHES; crash++) {
    await using cluster = await TestCluster.of();
    const start = starter(cluster);
    // A third of 300 kB is to move, which takes a second or two.
    const slowly = ['-migration-rate', '64kib'];
    for (const n of [1, 2]) start(n, cluster.peers(2), slowly);
    await cluster.formed();
    await fill(cluster);
    start(3, [cluster.peer(1)]);
    await cluster.node(3).logged('listening');
    await delay(random() * 2500);
    await stop(cluster, 3, 'SIGKILL');
    for (const n of [1, 2]) start(n, cluster.peers(2));
    start(3, [cluster.peer(1)]);
    for (const n of [1, 2, 3]) await cluster.node(n).logged('serving');
    await cluster.formed();
    await eventually(() => expectAll(cluster, 3));
  }
});

/** Some 100 kB are to move, which takes a second or two. */
const SLOWLY = ['-migration-rate', '64kib'];

test.each(['join', 'leave'])(
  'all nodes are killed in the middle of a %s: all are members then, and each record is there once, with its meta',
  async (kind) => {
    await using cluster = await TestCluster.of();
    const start = starter(cluster);
    const count = kind === 'join' ? 2 : 3;
    for (let n = 1; n <= count; n++) start(n, cluster.peers(count), SLOWLY);
    await cluster.formed();
    await fill(cluster);
    await cluster.ask(1, 'PUT', 'key 0', dataOf(0));
    const before = await metas(cluster);
    if (kind === 'join') start(3, [cluster.peer(1)], SLOWLY);
    else await ask(cluster.url(1), 'DELETE', `/v1/nodes/${cluster.peer(3)}`);
    await halfCopied(cluster, kind);
    await stop(cluster, 3, 'SIGKILL');
    for (const n of [1, 2]) start(n, cluster.peers(count));
    start(3, kind === 'join' ? [cluster.peer(1)] : cluster.peers(3));
    await cluster.formed();
    await settled(cluster);
    await expectAll(cluster, 3);
    expect(await metas(cluster)).toEqual(before);
    await eventually(async () => expect(await held(cluster)).toBe(KEYS));
  },
  60_000,
);

test('all others are killed while a lost member is being forgotten: without it in node.json they form', async () => {
  await using cluster = await TestCluster.of();
  const root = mkdtempSync(join(tmpdir(), 'memhashd-disk-'));
  made.push(root);
  const start = (n: number, count: number): NodeProcess =>
    cluster.start(n, cluster.peers(count), ['-data-dir', join(root, String(n))]);
  for (const n of [1, 2, 3]) start(n, 3);
  await cluster.formed();
  await fill(cluster);
  const lost = new Set<number>();
  for (let at = 0; at < KEYS; at++) {
    const { body } = await cluster.ask(1, 'GET', `key ${at}`);
    if (body.node?.addr === cluster.peer(3)) lost.add(at);
  }
  await cluster.node(3).kill();
  cluster.nodes.pop();
  await eventually(async () =>
    expect((await cluster.view(1)).find(({ addr }) => addr === cluster.peer(3))?.state).toBe(
      'down',
    ),
  );
  // Node 2 is held, so that it cannot agree: the change is under way until all are killed.
  cluster.node(2).signal('SIGSTOP');
  const path = `/v1/nodes/${cluster.peer(3)}?force=true`;
  expect((await ask(cluster.url(1), 'DELETE', path)).status).toBe(202);
  await eventually(async () =>
    expect((await overview(cluster, 1)).change).toMatchObject({ kind: 'forget' }),
  );
  await stop(cluster, 2, 'SIGKILL');
  // Nobody has agreed to forget: they wait for the member that is lost, and say so.
  for (const n of [1, 2]) start(n, 2);
  for (const n of [1, 2]) await cluster.node(n).logged('listening');
  expect((await cluster.ask(1, 'GET', 'key 0')).status).toBe(503);
  await stop(cluster, 2, 'SIGKILL');
  for (const n of [1, 2]) {
    const file = join(root, String(n), 'node.json');
    const identity = JSON.parse(readFileSync(file, 'utf8')) as object;
    expect(identity).toMatchObject({ topology: { members: cluster.peers(3) } });
    writeFileSync(file, JSON.stringify({ ...identity, topology: null }));
    start(n, 2);
  }
  await cluster.formed();
  for (let at = 0; at < KEYS; at++) {
    const { status, body } = await cluster.ask(1, 'GET', `key ${at}`);
    const kept = { status: 200, body: { data: dataOf(at), meta: { index: 1 } } };
    expect({ at, status, body }).toMatchObject({ at, ...(lost.has(at) ? { status: 404 } : kept) });
  }
  expect(lost.size).toBeGreaterThan(0);
}, 60_000);
