/** The engine on servers: what a request costs, what a record takes, and how long a list of all keys does. */

import { startMemhashd, startWebdis, type Contestant } from './contestants.ts';
import { canMeasureProcessorTime, isInstalled, processorTimeUs, runWorker } from './processes.ts';
import type { Operation } from './protocol.ts';
import { KEY_BYTES, KeySource, VALUE_BYTES } from './records.ts';
import type { Effort } from './section.ts';
import { median, OURS, type Series } from './series.ts';
import { ValkeyServers } from './valkey-servers.ts';
import type { LoadResult } from './workers/load.ts';

const CONNECTIONS = 32;
const ROUND_MAX_MS = 30_000;
const OPERATIONS: readonly Operation[] = ['put', 'get'];

const MEMORY = 'memhashd on its own memory';
const WEBDIS = 'webdis and Redis';

/** Operations of one batch. */
const BATCH = 1000;

export async function measureValkey(effort: Effort): Promise<Series[]> {
  if (!canMeasureProcessorTime || !isInstalled('redis-server')) {
    effort.progress('valkey: left out, it takes redis-server and the processor times of Linux');
    return [];
  }
  return [...(await measureCosts(effort)), await measureBytes(effort), await measureLists(effort)];
}

/** One system in the race; `alone` are the processes of memhashd, `pids` all that work for an answer. */
interface Runner {
  readonly name: string;
  readonly contestant: Contestant;
  readonly alone: readonly number[];
  readonly pids: readonly number[];
  readonly costsUs: Record<Operation, { alone: number[]; together: number[] }>;
}

async function measureCosts({ pick, progress }: Effort): Promise<Series[]> {
  const rounds = pick(9, 3);
  const requests = pick(20_000, 5000);
  await using redis = await ValkeyServers.single();
  await using ours = await startNode(redis);
  await using memory = await startMemhashd();
  await using webdis = isInstalled('webdis') ? await startWebdis() : undefined;
  const runners = [
    runner(OURS, ours, redis.pids),
    runner(MEMORY, memory),
    ...(webdis === undefined ? [] : [runner(WEBDIS, webdis)]),
  ];
  // Round 0 stores the keys and lets compilers and caches settle.
  for (let round = 0; round <= rounds; round++) {
    progress(`valkey: round ${round} of ${rounds}`);
    for (const operation of OPERATIONS) {
      for (let turn = 0; turn < runners.length; turn++) {
        const { contestant, alone, pids, costsUs } = runners[(round + turn) % runners.length]!;
        const cost = await measureCost(contestant, [alone, pids], operation, requests);
        if (round === 0) continue;
        costsUs[operation].alone.push(cost[0]!);
        costsUs[operation].together.push(cost[1]!);
      }
    }
  }
  const note = `one Redis, ${CONNECTIONS} connections, ${KEY_BYTES}-byte keys, ${VALUE_BYTES}-byte values, median of ${rounds} rounds`;
  return OPERATIONS.flatMap((operation) => costSeries(operation, runners, note));
}

function costSeries(operation: Operation, runners: readonly Runner[], note: string): Series[] {
  const title = operation.toUpperCase();
  const rows = (which: 'alone' | 'together', names: readonly string[]) =>
    runners
      .filter(({ name }) => names.includes(name))
      .map(({ name, costsUs }) => ({ system: name, value: median(costsUs[operation][which]) }));
  return [
    {
      id: `valkey-${operation}`,
      title: `${title} from servers: processor time of memhashd alone per request`,
      unit: 'us',
      reference: MEMORY,
      rows: rows('alone', [OURS, MEMORY]),
      bounds: [{ of: 'ratio', limit: 'at most', bound: 2 }],
      note,
    },
    {
      id: `valkey-${operation}-together`,
      title: `${title} from servers: processor time of memhashd and Redis per request`,
      unit: 'us',
      reference: WEBDIS,
      rows: rows('together', [OURS, WEBDIS]),
      bounds: [{ of: 'ratio', limit: 'at most', bound: 1.5 }],
      note,
    },
  ];
}

function runner(name: string, contestant: Contestant, servers: readonly number[] = []): Runner {
  const { pids } = contestant;
  const costsUs = {
    get: { alone: [], together: [] },
    put: { alone: [], together: [] },
  };
  return { name, contestant, alone: pids, pids: [...pids, ...servers], costsUs };
}

/** Microseconds of processor time per request, of each group of processes. */
async function measureCost(
  { name, protocol, port }: Contestant,
  groups: readonly (readonly number[])[],
  operation: Operation,
  requestsMax: number,
): Promise<number[]> {
  const before = groups.map(processorTimeUs);
  const { requests, failures } = await runWorker<LoadResult>('load', {
    protocol,
    port,
    operation,
    connections: CONNECTIONS,
    requestsMax,
    durationMaxMs: ROUND_MAX_MS,
  });
  if (failures > 0) throw new Error(`${name} failed ${failures} of ${requests} requests`);
  return groups.map((pids, at) => (processorTimeUs(pids) - before[at]!) / requests);
}

/** What records take at the server beyond key and value, by its own account. */
async function measureBytes({ progress }: Effort): Promise<Series> {
  const records = 100_000;
  const rows = [];
  for (const [system, expireTime] of [
    [OURS, undefined],
    [`${OURS}, with expiry`, '1h'],
  ] as const) {
    progress(
      `valkey: ${records} records, ${expireTime === undefined ? 'for good' : 'that expire'}`,
    );
    await using redis = await ValkeyServers.single();
    await using node = await startNode(redis);
    // The scripts and connections are there before.
    await store(node, 1, expireTime);
    const before = redis.usedMemory();
    await store(node, records, expireTime);
    const bytes = redis.usedMemory() - before;
    rows.push({ system, value: bytes / records - KEY_BYTES - VALUE_BYTES });
  }
  return {
    id: 'valkey-bytes',
    title: 'Bytes of a record at the server, beyond key and value',
    unit: 'bytes',
    rows,
    bounds: [{ of: 'value', limit: 'at most', bound: 120 }],
    note: `used_memory of Redis, ${records} records with ${VALUE_BYTES}-byte values; the bound with expiry is 165`,
  };
}

async function measureLists({ progress }: Effort): Promise<Series> {
  const records = 100_000;
  const rows = [];
  for (const [system, start] of [
    [OURS, () => ValkeyServers.cluster()],
    [`${OURS}, a single server`, () => ValkeyServers.single()],
  ] as const) {
    progress(`valkey: a list of ${records} keys`);
    await using servers = await start();
    await using node = await startNode(servers);
    await store(node, records, undefined);
    const startMs = performance.now();
    const keys = (await (await fetch(urlOf(node, '/v1/keys'))).json()) as string[];
    if (new Set(keys).size !== records) throw new Error(`${keys.length} keys are listed`);
    rows.push({ system, value: (performance.now() - startMs) / 1000 });
  }
  return {
    id: 'valkey-list',
    title: `A list of ${records} keys`,
    unit: 's',
    rows,
    bounds: [{ of: 'value', limit: 'at most', bound: 3 }],
    note: 'from the request to the last byte, parsed; three primaries, and a single server',
  };
}

/** A node in front of servers, once it serves. */
async function startNode(servers: ValkeyServers): Promise<Contestant> {
  const node = await startMemhashd(['-engine', 'valkey', ...servers.flags]);
  while ((await fetch(urlOf(node, '/readyz'))).status !== 200);
  return node;
}

/** Stores so many records, in batches. */
async function store(
  node: Contestant,
  records: number,
  expireTime: string | undefined,
): Promise<void> {
  const keys = new KeySource();
  const data = 'v'.repeat(VALUE_BYTES - 2);
  for (let from = 0; from < records; from += BATCH) {
    const operations = Array.from({ length: Math.min(BATCH, records - from) }, (_, n) => ({
      store: keys.key(from + n),
      data,
      ...(expireTime !== undefined && { expire_time: expireTime }),
    }));
    const answer = await fetch(urlOf(node, '/v1/batch'), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Prefer: 'return=minimal' },
      body: JSON.stringify(operations),
    });
    const { failed } = (await answer.json()) as { failed: number };
    if (failed !== 0) throw new Error(`${failed} records could not be stored`);
  }
}

function urlOf({ port }: Contestant, path: string): string {
  return `http://127.0.0.1:${port}${path}`;
}
