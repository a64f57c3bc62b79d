/** What a request costs: processor time of the server for requests of several kinds, beside other servers. */

import { startContestants, BARE, type Contestant } from './contestants.ts';
import { measureCost } from './cost.ts';
import { idleConnections } from './idle.ts';
import { canMeasureProcessorTime } from './processes.ts';
import type { Effort } from './section.ts';
import { median, OURS, type Bound, type Series } from './series.ts';
import type { LoadParameters } from './workers/load.ts';

const CONNECTIONS = 32;
const ROUND_MAX_MS = 30_000;
const KIB = 1024;

/** One kind of request. */
interface Kind {
  readonly id: string;
  readonly title: string;
  readonly load: Pick<LoadParameters, 'operation' | 'pipelined' | 'valueBytes' | 'keys'>;
  /** Such a part of the usual number of requests. */
  readonly share: number;
  /** At most so many times the processor time of the barest server. */
  readonly ratioMax?: number;
}

const KINDS: readonly Kind[] = [
  { id: 'put', title: 'PUT', load: { operation: 'put' }, share: 1, ratioMax: 0.7 },
  { id: 'get', title: 'GET', load: { operation: 'get' }, share: 1, ratioMax: 0.7 },
  {
    id: 'get-pipelined',
    title: 'GET, 16 sent at a time',
    load: { operation: 'get', pipelined: 16 },
    share: 1,
  },
  {
    id: 'put-16k',
    title: 'PUT of 16 KiB',
    load: { operation: 'put', valueBytes: 16 * KIB, keys: 1000 },
    share: 0.4,
  },
  {
    id: 'get-16k',
    title: 'GET of 16 KiB',
    load: { operation: 'get', valueBytes: 16 * KIB, keys: 1000 },
    share: 0.4,
  },
  {
    id: 'put-1m',
    title: 'PUT of 1 MiB',
    load: { operation: 'put', valueBytes: KIB * KIB, keys: 32 },
    share: 0.01,
  },
  {
    id: 'get-1m',
    title: 'GET of 1 MiB',
    load: { operation: 'get', valueBytes: KIB * KIB, keys: 32 },
    share: 0.02,
  },
];

/** A pipelined GET takes at most such a part of what one takes that is waited for. */
const PIPELINED_MAX = 0.45;

/** Measures all contestants in rounds, so that what disturbs the machine disturbs all of them. */
export async function measureHttp({ pick, progress }: Effort): Promise<Series[]> {
  if (!canMeasureProcessorTime) {
    progress('http: left out, only Linux tells the processor time of a process');
    return [];
  }
  const rounds = pick(15, 3);
  const requests = pick(20_000, 5000);
  const contestants: Contestant[] = [];
  const absent = (command: string): void =>
    progress(`http: ${command} is not installed and not compared with`);
  try {
    for await (const contestant of startContestants(absent)) contestants.push(contestant);
    const idle = await idleConnections(contestants, pick(10_000, 2000), progress);
    const costsUs = KINDS.map(() => contestants.map(() => [0]));
    // Round 0 stores the keys and lets compilers and caches settle.
    for (let round = 0; round <= rounds; round++) {
      progress(`http: round ${round} of ${rounds}, ${contestants.length} servers`);
      for (const [n, kind] of KINDS.entries()) {
        for (let turn = 0; turn < contestants.length; turn++) {
          // Another one goes first each time: what one leaves behind to do disturbs the next.
          const at = (round + turn) % contestants.length;
          const count = Math.ceil(requests * kind.share);
          costsUs[n]![at]![round] = await measure(contestants[at]!, kind, count);
        }
      }
    }
    const note = `${CONNECTIONS} connections, 20-byte keys, 50-byte values unless said, median of ${rounds} rounds`;
    const series = KINDS.map((kind, n) =>
      seriesOf(
        kind,
        contestants,
        costsUs[n]!.map((costs) => median(costs.slice(1))),
        note,
      ),
    );
    return [...series, pipelining(series), idle];
  } finally {
    for (const contestant of contestants) await contestant[Symbol.asyncDispose]();
  }
}

function seriesOf(
  { id, title, ratioMax }: Kind,
  contestants: readonly Contestant[],
  costsUs: readonly number[],
  note: string,
): Series {
  return {
    id: `http-${id}`,
    title: `${title}: processor time of the server per request`,
    unit: 'us',
    reference: BARE,
    rows: contestants.map(({ name }, at) => ({ system: name, value: costsUs[at]! })),
    bounds: ratioMax === undefined ? [] : [{ of: 'ratio', limit: 'at most', bound: ratioMax }],
    note,
  };
}

/** What a request of ours costs when others are sent along with it. */
function pipelining(series: readonly Series[]): Series {
  const valueOf = (id: string): number =>
    series.find((one) => one.id === id)!.rows.find(({ system }) => system === OURS)!.value;
  const alone = 'one at a time';
  const bounds: Bound[] = [{ of: 'ratio', limit: 'at most', bound: PIPELINED_MAX }];
  return {
    id: 'http-pipelining',
    title: 'GET, 16 sent at a time, beside those that are waited for: processor time',
    unit: 'us',
    reference: alone,
    rows: [
      { system: OURS, value: valueOf('http-get-pipelined') },
      { system: alone, value: valueOf('http-get') },
    ],
    bounds,
  };
}

/** Microseconds of processor time per request. */
function measure(
  { name, protocol, port, pids }: Contestant,
  { load }: Kind,
  requestsMax: number,
): Promise<number> {
  return measureCost(name, pids, {
    ...load,
    protocol,
    port,
    connections: CONNECTIONS,
    requestsMax,
    durationMaxMs: ROUND_MAX_MS,
  });
}
