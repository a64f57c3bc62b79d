/** A third node joins two that hold many records, under load: how long it takes, and what others feel of it. */

import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

import { ClusterNodes, timeUntil } from './cluster-nodes.ts';
import type { Effort } from './section.ts';
import { OURS, quantiles, type Series } from './series.ts';

/** Records in one request that fills the cluster. */
const BATCH = 5000;
const VALUE_BYTES = 100;
const PER_SECOND = 500;
const CALM_SECONDS = 5;

/** So much may garbage and buffers take beside what its own partitions need. */
const SPARE_MIB = 64;

/** Within this time the memory of an old owner is to be what its own partitions need. */
const MEMORY_WAIT_MS = 60_000;

/** Requests at a fixed pace to the old members, and what each took from when it was due. */
class PacedLoad {
  readonly tookMs: number[] = [];
  failures = 0;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #cluster: ClusterNodes;
  readonly #records: number;
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(cluster: ClusterNodes, records: number) {
    this.#cluster = cluster;
    this.#records = records;
    this.#done = this.#run();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#done;
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    const asked: Promise<void>[] = [];
    const startMs = performance.now();
    for (let n = 0; !this.#isOver; n++) {
      const dueMs = startMs + (n / PER_SECOND) * 1000;
      while (performance.now() < dueMs) await delay(dueMs - performance.now());
      asked.push(this.#ask(n, dueMs));
    }
    await Promise.all(asked);
  }

  async #ask(n: number, dueMs: number): Promise<void> {
    const method = n % 4 === 0 ? 'PUT' : 'GET';
    const path = `/v1/keys/${keyOf((n * 7919) % this.#records)}`;
    const { host } = this.#cluster;
    const port = this.#cluster.clientPort(n % 2);
    const status = await new Promise<number>((resolve) => {
      const headers = { 'Content-Type': 'application/json' };
      request({ host, port, agent: this.#agent, method, path, headers }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode!));
      })
        .on('error', () => resolve(0))
        .end(method === 'PUT' ? VALUE : undefined);
    });
    if (status !== 200) this.failures++;
    this.tookMs.push(performance.now() - dueMs);
  }
}

const VALUE = JSON.stringify({ data: 'x'.repeat(VALUE_BYTES - 2) });

function keyOf(n: number): string {
  return `record:${n}`;
}

export async function measureJoin({ pick, progress }: Effort): Promise<Series[]> {
  const records = pick(1_000_000, 50_000);
  await using cluster = await ClusterNodes.form(2);
  progress(`join: storing ${records} records`);
  await fill(cluster, records);
  const calm = new PacedLoad(cluster, records);
  await delay(CALM_SECONDS * 1000);
  await calm.end();
  const before = residentMib(cluster.pids[0]!);
  progress('join: a third node comes');
  const load = new PacedLoad(cluster, records);
  const tookMs = await cluster.grow();
  await load.end();
  progress('join: memory of an old owner');
  const enough = (before * 2) / 3 + SPARE_MIB;
  await timeUntil(async () => residentMib(cluster.pids[0]!) <= enough, MEMORY_WAIT_MS).catch(
    () => {},
  );
  const after = residentMib(cluster.pids[0]!);
  progress('join: a fourth node comes');
  const ownersBefore = await ownersOf(cluster);
  await cluster.grow();
  const ownersAfter = await ownersOf(cluster);
  const moved = ownersAfter.filter((owner, partition) => owner !== ownersBefore[partition]).length;
  const [quiet, busy] = [quantiles(calm.tookMs), quantiles(load.tookMs)];
  const note = `${records} records of ${VALUE_BYTES} bytes, 2 nodes become 3, ${PER_SECOND} requests a second, one in four a store; ${load.failures} failed`;
  const one = (id: string, title: string, unit: string, value: number, bound?: number): Series => ({
    id: `join-${id}`,
    title,
    unit,
    rows: [{ system: OURS, value }],
    bounds: bound === undefined ? [] : [{ of: 'value', limit: 'at most', bound }],
    note,
  });
  return [
    one('time', 'Time until a third node has its share', 's', tookMs / 1000, 30),
    {
      id: 'join-latency',
      title: '99 % of the requests take at most',
      unit: 'ms',
      reference: 'before',
      rows: [
        { system: OURS, value: busy.p99 },
        { system: 'before', value: quiet.p99 },
      ],
      bounds: [{ of: 'ratio', limit: 'at most', bound: 3 }],
      note,
    },
    one('longest', 'Longest request meanwhile', 'ms', Math.max(...load.tookMs), 1000),
    one('failures', 'Requests that failed meanwhile', '', load.failures, 0),
    {
      id: 'join-moved',
      title: 'Partitions that move when three nodes become four',
      unit: '%',
      rows: [{ system: OURS, value: (100 * moved) / ownersAfter.length }],
      bounds: [
        { of: 'value', limit: 'at least', bound: 24 },
        { of: 'value', limit: 'at most', bound: 26 },
      ],
    },
    one(
      'memory',
      'Memory of an old owner, at most a minute later: two thirds, and some',
      'MiB',
      after,
      enough,
    ),
  ];
}

/** The owner of each partition, by address. */
async function ownersOf(cluster: ClusterNodes): Promise<string[]> {
  const { owners, members } = await cluster.topology(0, '?owners=true');
  return owners.map((owner) => members[owner]!.addr);
}

async function fill(cluster: ClusterNodes, records: number): Promise<void> {
  for (let start = 0; start < records; start += BATCH) {
    const operations = Array.from({ length: Math.min(BATCH, records - start) }, (_, at) => ({
      store: keyOf(start + at),
      data: 'x'.repeat(VALUE_BYTES - 2),
    }));
    await cluster.post((start / BATCH) % 2, '/v1/batch', operations);
  }
}

/** What a process takes of memory. */
function residentMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
}
