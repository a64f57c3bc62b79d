/** The store in process, without a network: rate, memory and pauses, beside a `Map` and Redis. */

import { isInstalled, runWorker } from './processes.ts';
import { redisBytesPerRecord } from './redis-memory.ts';
import type { Effort } from './section.ts';
import { OURS, type Bound, type Row, type Series } from './series.ts';
import type { StoreParameters, StoreResult } from './workers/store.ts';

const MAP = 'Map of objects';
const NODE_FLAGS = ['--expose-gc', '--max-old-space-size=12288'];

/** One thing that is measured of each store, and its bounds by millions of records. */
interface Quantity {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly bounds: Readonly<Partial<Record<number, readonly Bound[]>>>;
  readonly note?: string;
  readonly of: (result: StoreResult) => number;
}

const QUANTITIES: readonly Quantity[] = [
  {
    id: 'mixed-rate',
    title: 'Random loads and stores, half and half',
    unit: 'k/s',
    bounds: { 1: [{ of: 'ratio', limit: 'at least', bound: 1.3 }] },
    of: (result) => result.mixedRate / 1000,
  },
  {
    id: 'load-rate',
    title: 'Random loads',
    unit: 'k/s',
    bounds: {},
    of: (result) => result.loadRate / 1000,
  },
  {
    id: 'store-rate',
    title: 'Random stores',
    unit: 'k/s',
    bounds: {},
    of: (result) => result.storeRate / 1000,
  },
  {
    id: 'fill-rate',
    title: 'Filling',
    unit: 'k/s',
    bounds: {},
    of: (result) => result.fillRate / 1000,
  },
  {
    id: 'fill-pause',
    title: 'Longest pause while filling',
    unit: 'ms',
    bounds: { 10: [{ of: 'value', limit: 'at most', bound: 50 }] },
    of: (result) => result.fillPauses.longestMs,
  },
  {
    id: 'steady-pause',
    title: 'Longest pause afterwards, loads and stores of changing size',
    unit: 'ms',
    bounds: { 10: [{ of: 'value', limit: 'at most', bound: 10 }] },
    of: (result) => result.steadyPauses.longestMs,
  },
  {
    id: 'memory',
    title: 'Memory per record beyond key and value',
    unit: 'bytes',
    bounds: {
      1: [
        { of: 'value', limit: 'at most', bound: 80 },
        { of: 'ratio', limit: 'at most', bound: 0.33 },
      ],
    },
    note: 'resident memory of the process after a settle; of Redis its used_memory',
    of: (result) => result.bytesPerRecord,
  },
];

/** Measures a million records and, in a full run, ten million. */
export async function measureStore(effort: Effort): Promise<Series[]> {
  const series: Series[] = [];
  for (const millions of effort.pick(1, 0) === 1 ? [1, 10] : [1]) {
    series.push(...(await measureSize(effort, millions)));
  }
  return series;
}

async function measureSize({ pick, progress }: Effort, millions: number): Promise<Series[]> {
  const records = millions * 1e6;
  const run = async (subject: StoreParameters['subject']): Promise<StoreResult> => {
    progress(`store: ${millions} million records in a ${subject}`);
    const rounds = pick(5, 3);
    const operations = pick(1e6, 300_000);
    return await runWorker('store', { subject, records, rounds, operations }, NODE_FLAGS);
  };
  const ours = await run('store');
  const map = await run('map');
  const redis = millions === 1 ? await measureRedis(records, progress) : [];
  return QUANTITIES.map(({ id, title, bounds, of, ...rest }) => ({
    ...rest,
    id: `store-${id}-${millions}m`,
    title: `${title}, ${millions} million records`,
    reference: MAP,
    rows: [
      { system: OURS, value: of(ours) },
      { system: MAP, value: of(map) },
      ...(id === 'memory' ? redis : []),
    ],
    bounds: bounds[millions] ?? [],
  }));
}

async function measureRedis(records: number, progress: Effort['progress']): Promise<Row[]> {
  if (!isInstalled('redis-server')) {
    progress('store: redis-server is not installed and not compared with');
    return [];
  }
  progress('store: the same records in Redis');
  return [
    { system: 'Redis, string', value: await redisBytesPerRecord('string', records) },
    { system: 'Redis, hash with meta', value: await redisBytesPerRecord('hash', records) },
  ];
}
