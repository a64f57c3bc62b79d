/** The store in process, without a network: rate, memory and pauses, beside a `Map` and Redis. */

import { isInstalled, Worker } from './processes.ts';
import { REDIS_FORMS, redisBytesPerRecord } from './redis-memory.ts';
import type { Effort } from './section.ts';
import { median, OURS, type Bound, type Row, type Series } from './series.ts';
import type { SubjectName } from './subjects.ts';
import type { Filled, Round, StoreParameters } from './workers/store.ts';

const MAP = 'Map of objects';
const NODE_FLAGS = ['--expose-gc', '--max-old-space-size=12288'];

/** What was measured of one store. */
interface Result {
  readonly filled: Filled;
  readonly rounds: readonly Round[];
}

/** One thing that is told of each store, and its bounds by millions of records. */
interface Quantity {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly bounds: Readonly<Partial<Record<number, readonly Bound[]>>>;
  readonly note?: string;
  readonly of: (result: Result, size: Size) => number;
}

interface Size {
  readonly records: number;
  /** Loads, and stores, of one round. */
  readonly operations: number;
}

const QUANTITIES: readonly Quantity[] = [
  {
    id: 'mixed-rate',
    title: 'Random loads and stores, half and half',
    unit: 'k/s of a core',
    bounds: { 1: [{ of: 'ratio', limit: 'at least', bound: 1.3 }] },
    of: ({ rounds }, { operations }) =>
      (2 * operations) / median(rounds.map(({ loadMs, storeMs }) => loadMs + storeMs)),
  },
  {
    id: 'load-rate',
    title: 'Random loads',
    unit: 'k/s of a core',
    bounds: {},
    of: ({ rounds }, { operations }) => operations / median(rounds.map(({ loadMs }) => loadMs)),
  },
  {
    id: 'store-rate',
    title: 'Random stores',
    unit: 'k/s of a core',
    bounds: {},
    of: ({ rounds }, { operations }) => operations / median(rounds.map(({ storeMs }) => storeMs)),
  },
  {
    id: 'fill-rate',
    title: 'Filling',
    unit: 'k/s of a core',
    bounds: {},
    of: ({ filled }, { records }) => records / filled.fillMs,
  },
  {
    id: 'fill-pause',
    title: 'Longest pause while filling',
    unit: 'ms',
    bounds: { 10: [{ of: 'value', limit: 'at most', bound: 50 }] },
    of: ({ filled }) => filled.pauses.longestMs,
  },
  {
    id: 'steady-pause',
    title: 'Longest pause afterwards, loads and stores of changing size',
    unit: 'ms',
    bounds: { 10: [{ of: 'value', limit: 'at most', bound: 10 }] },
    of: ({ rounds }) => Math.max(...rounds.map(({ pauses }) => pauses.longestMs)),
  },
  {
    id: 'memory',
    title: 'Memory per record beyond key and value',
    unit: 'bytes',
    bounds: {
      1: [
        { of: 'value', limit: 'at most', bound: 80 },
        { of: 'ratio', limit: 'at most', bound: 1 / 3 },
      ],
    },
    note: 'resident memory of the process after a settle; of Redis its used_memory',
    of: ({ filled }) => filled.bytesPerRecord,
  },
];

/** Measures a million records and, in a full run, ten million. */
export async function measureStore(effort: Effort): Promise<Series[]> {
  const series: Series[] = [];
  for (const millions of effort.pick(10, 1) === 10 ? [1, 10] : [1]) {
    series.push(...(await measureSize(effort, millions)));
  }
  return series;
}

async function measureSize({ pick, progress }: Effort, millions: number): Promise<Series[]> {
  const size: Size = { records: millions * 1e6, operations: pick(1e6, 250_000) };
  const [ours, map] = await measureBoth(size, pick(7, 3), (text) =>
    progress(`store: ${millions} million records, ${text}`),
  );
  const redis = millions === 1 ? await measureRedis(size.records, pick(2, 1), progress) : [];
  return QUANTITIES.map(({ id, title, bounds, of, ...rest }) => ({
    ...rest,
    id: `store-${id}-${millions}m`,
    title: `${title}, ${millions} million records`,
    reference: MAP,
    rows: [
      { system: OURS, value: of(ours, size) },
      { system: MAP, value: of(map, size) },
      ...(id === 'memory' ? redis : []),
    ],
    bounds: bounds[millions] ?? [],
  }));
}

/** Fills ours and a `Map`, each in its process, and lets them run rounds in turn, one at a time. */
async function measureBoth(
  size: Size,
  rounds: number,
  progress: Effort['progress'],
): Promise<[Result, Result]> {
  await using ours = startWorker('store', size);
  progress('filling ours');
  const oursFilled = await ours.next<Filled>();
  ours.halt();
  await using map = startWorker('map', size);
  progress('filling a Map');
  const mapFilled = await map.next<Filled>();
  map.halt();
  const results: [Round[], Round[]] = [[], []];
  for (let round = 1; round <= rounds; round++) {
    progress(`round ${round} of ${rounds}`);
    for (const [at, worker] of [ours, map].entries()) {
      worker.wake();
      worker.tell('round');
      results[at]!.push(await worker.next<Round>());
      worker.halt();
    }
  }
  for (const worker of [ours, map]) {
    worker.wake();
    worker.tell('finish');
    await worker.end();
  }
  return [
    { filled: oursFilled, rounds: results[0] },
    { filled: mapFilled, rounds: results[1] },
  ];
}

function startWorker(subject: SubjectName, { records, operations }: Size): Worker {
  const parameters: StoreParameters = { subject, records, operations };
  return new Worker('store', parameters, NODE_FLAGS);
}

/** Measures the first `count` of the forms that a record can have in Redis. */
async function measureRedis(
  records: number,
  count: number,
  progress: Effort['progress'],
): Promise<Row[]> {
  if (!isInstalled('redis-server')) {
    progress('store: redis-server is not installed and not compared with');
    return [];
  }
  progress('store: the same records in Redis');
  const rows: Row[] = [];
  for (const form of REDIS_FORMS.slice(0, count)) {
    rows.push({ system: `Redis, ${form}`, value: await redisBytesPerRecord(form, records) });
  }
  return rows;
}
