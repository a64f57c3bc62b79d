/** What an operation costs that goes out with a hundred others, beside Redis and beside one alone. */

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
export async function measureBatch({ pick, progress }: Effort): Promise<Series[]> {
  if (!canMeasureProcessorTime || !isInstalled('redis-server')) {
    progress('batch: left out, it takes Linux and redis-server');
    return [];
  }
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
