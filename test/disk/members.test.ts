// Nodes with data directories whose cluster changes, and is stopped and started as a whole.
import { mkdtempSync, rmSync } from 'node:fs';
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
