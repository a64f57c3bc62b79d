/** What an operation costs that goes out with a hundred others, beside Redis and beside one alone. */

import { ClusterNodes } from './cluster-nodes.ts';
import { startMemhashd, startRedis, type Contestant } from './contestants.ts';
import { measureCost } from './cost.ts';
import { canMeasureProcessorTime, isInstalled } from './processes.ts';
import type { Operation } from './protocol.ts';
import type { Effort } from './section.ts';
import { median, OURS, type Series } from './series.ts';

const CONNECTIONS = 8;
const TOGETHER = 100;
const ROUND_MAX_MS = 30_000;

const OPERATIONS: readonly Operation[] = ['put', 'get'];

const REDIS = `Redis (RESP), pipelined by ${TOGETHER}`;
const ALONE = 'memhashd, one by one';

/** At most so many times the processor time of Redis. */
const RATIO_BOUNDS = { get: 1.5, put: 2 } as const;

/** One way to do operations: by whom, and how many together. */
interface Way {
  readonly name: string;
  readonly contestant: Contestant;
  readonly together: number;
}

/** Measures batches of loads and of stores. */
export async function measureBatch(effort: Effort): Promise<Series[]> {
  if (!canMeasureProcessorTime || !isInstalled('redis-server')) {
    effort.progress('batch: left out, it takes Linux and redis-server');
    return [];
  }
  return [...(await measureBesideRedis(effort)), await measureForwarded(effort)];
}

async function measureBesideRedis({ pick, progress }: Effort): Promise<Series[]> {
  const rounds = pick(15, 3);
  const operations = pick(200_000, 50_000);
  await using ours = await startMemhashd();
  await using redis = await startRedis();
  const ways: Way[] = [
    { name: OURS, contestant: ours, together: TOGETHER },
    { name: REDIS, contestant: redis, together: TOGETHER },
    { name: ALONE, contestant: ours, together: 1 },
  ];
  const costsUs = { get: ways.map(() => [0]), put: ways.map(() => [0]) };
  // Round 0 stores the keys and lets compilers and caches settle.
  for (let round = 0; round <= rounds; round++) {
    progress(`batch: round ${round} of ${rounds}`);
    for (const operation of OPERATIONS) {
      for (let turn = 0; turn < ways.length; turn++) {
        const at = (round + turn) % ways.length;
        costsUs[operation][at]![round] = await measure(ways[at]!, operation, operations);
      }
    }
  }
  return OPERATIONS.map((operation) => ({
    id: `batch-${operation}`,
    title: `${operation.toUpperCase()} in batches: processor time of the server per operation`,
    unit: 'us',
    reference: REDIS,
    rows: ways.map(({ name }, at) => ({
      system: name,
      value: median(costsUs[operation][at]!.slice(1)),
    })),
    bounds: [{ of: 'ratio', limit: 'at most', bound: RATIO_BOUNDS[operation] }],
    note: `${TOGETHER} operations together, ${CONNECTIONS} connections, 20-byte keys, 50-byte values`,
  }));
}

/** Of two nodes the one that owns the keys. */
const OWNER = 1;

/** Loads keys of one node in batches, by way of another and at the owner itself, in turn. */
async function measureForwarded({ pick, progress }: Effort): Promise<Series> {
  const rounds = pick(9, 3);
  const operations = pick(100_000, 40_000);
  await using cluster = await ClusterNodes.form(2);
  const ownedBy = { members: cluster.members, owner: cluster.members[OWNER]! };
  const costsUs = [[0], [0]];
  const measureAt = async (at: number, operation: Operation): Promise<number> => {
    const costUs = await measureCost(OURS, cluster.pids, {
      protocol: 'memhashd',
      host: cluster.host,
      port: cluster.clientPort(at),
      ownedBy,
      operation,
      together: TOGETHER,
      connections: CONNECTIONS,
      requestsMax: operations / TOGETHER,
      durationMaxMs: ROUND_MAX_MS,
    });
    return costUs / TOGETHER;
  };
  await measureAt(OWNER, 'put');
  // Round 0 lets compilers and caches settle.
  for (let round = 0; round <= rounds; round++) {
    progress(`batch: forwarded, round ${round} of ${rounds}`);
    for (let turn = 0; turn < costsUs.length; turn++) {
      const at = (round + turn) % costsUs.length;
      costsUs[at]![round] = await measureAt(at, 'get');
    }
  }
  const local = 'asked of the owner';
  return {
    id: 'batch-forwarded',
    title: 'GET in batches, of keys of another node: processor time of both per operation',
    unit: 'us',
    reference: local,
    rows: [OURS, local].map((system, at) => ({ system, value: median(costsUs[at]!.slice(1)) })),
    bounds: [{ of: 'ratio', limit: 'at most', bound: 2 }],
    note: `two nodes, ${TOGETHER} operations together, ${CONNECTIONS} connections to one of them`,
  };
}

/** Microseconds of processor time per operation. */
async function measure(way: Way, operation: Operation, operations: number): Promise<number> {
  const { name, contestant, together } = way;
  const costUs = await measureCost(name, contestant.pids, {
    protocol: contestant.protocol,
    port: contestant.port,
    operation,
    together,
    connections: CONNECTIONS,
    requestsMax: together === 1 ? operations / 10 : operations / together,
    durationMaxMs: ROUND_MAX_MS,
  });
  return costUs / together;
}
