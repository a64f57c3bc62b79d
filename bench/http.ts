/** What a request costs: processor time of the server for requests of several kinds, beside other servers. */

import { ClusterNodes } from './cluster-nodes.ts';
import { startContestants, BARE, type Contestant } from './contestants.ts';
import { measureCost } from './cost.ts';
import { idleConnections } from './idle.ts';
import { canMeasureProcessorTime } from './processes.ts';
import type { Operation } from './protocol.ts';
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

const SMALL: readonly Kind[] = [
  { id: 'put', title: 'PUT', load: { operation: 'put' }, share: 1, ratioMax: 0.7 },
  { id: 'get', title: 'GET', load: { operation: 'get' }, share: 1, ratioMax: 0.7 },
  {
    id: 'get-pipelined',
    title: 'GET, 16 sent at a time',
    load: { operation: 'get', pipelined: 16 },
    share: 1,
  },
];

const LARGE: readonly Kind[] = [
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

/** Requests of the usual size, also such that are forwarded, and connections that are idle. */
export async function measureHttp(effort: Effort): Promise<Series[]> {
  if (!isPossible(effort)) return [];
  const { pick, progress } = effort;
  const rounds = pick(9, 3);
  const requests = pick(10_000, 5000);
  await using cluster = await ClusterNodes.form(2);
  await using contestants = await Contestants.start(progress);
  const idle = await idleConnections(contestants.all, pick(10_000, 2000), progress);
  const forwardedUs: number[] = [];
  const series = await contestants.measure(SMALL, rounds, requests, async (round) => {
    if (round === 0) await measureForwarded(cluster, 'put', requests);
    forwardedUs[round] = await measureForwarded(cluster, 'get', requests);
  });
  const forwarded = forwarding(series, median(forwardedUs.slice(1)));
  return [...series, pipelining(series), forwarded, idle];
}

/** Requests with large bodies. etcd is left out: it refuses those of 1 MiB. */
export async function measureBodies(effort: Effort): Promise<Series[]> {
  if (!isPossible(effort)) return [];
  const { pick, progress } = effort;
  await using contestants = await Contestants.start(progress, ['etcd']);
  return await contestants.measure(LARGE, pick(5, 3), pick(20_000, 5000));
}

function isPossible({ progress }: Effort): boolean {
  if (!canMeasureProcessorTime) {
    progress('http: left out, only Linux tells the processor time of a process');
  }
  return canMeasureProcessorTime;
}

/** All contestants, side by side; they are ended on disposal. */
class Contestants implements AsyncDisposable {
  readonly all: Contestant[] = [];
  readonly #progress: Effort['progress'];

  private constructor(progress: Effort['progress']) {
    this.#progress = progress;
  }

  static async start(
    progress: Effort['progress'],
    unfit: readonly string[] = [],
  ): Promise<Contestants> {
    const contestants = new Contestants(progress);
    const absent = (command: string): void =>
      progress(`http: ${command} is not installed and not compared with`);
    try {
      const started = startContestants(absent, unfit);
      for await (const contestant of started) contestants.all.push(contestant);
      return contestants;
    } catch (error) {
      await contestants[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Measures them in rounds, so that what disturbs the machine disturbs all of them. */
  async measure(
    kinds: readonly Kind[],
    rounds: number,
    requests: number,
    afterRound?: (round: number) => Promise<void>,
  ): Promise<Series[]> {
    const { all } = this;
    const costsUs = kinds.map(() => all.map(() => [0]));
    // Round 0 stores the keys and lets compilers and caches settle.
    for (let round = 0; round <= rounds; round++) {
      this.#progress(`http: round ${round} of ${rounds}, ${all.length} servers`);
      for (const [n, kind] of kinds.entries()) {
        for (let turn = 0; turn < all.length; turn++) {
          // Another one goes first each time: what one leaves behind to do disturbs the next.
          const at = (round + turn) % all.length;
          const count = Math.ceil(requests * kind.share);
          costsUs[n]![at]![round] = await measure(all[at]!, kind, count);
        }
      }
      await afterRound?.(round);
    }
    const note = `${CONNECTIONS} connections, 20-byte keys, 50-byte values unless said, median of ${rounds} rounds`;
    return kinds.map((kind, n) => {
      const medians = costsUs[n]!.map((costs) => median(costs.slice(1)));
      return seriesOf(kind, all, medians, note);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const contestant of this.all) await contestant[Symbol.asyncDispose]();
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

/** A request that is asked of a node that owns none of the keys, beside others that ask nobody. */
function forwarding(series: readonly Series[], forwardedUs: number): Series {
  const { rows, note } = series.find(({ id }) => id === 'http-get')!;
  const [ours, ...others] = rows;
  return {
    id: 'http-forwarded',
    title: 'GET that is forwarded: processor time of both nodes per request',
    unit: 'us',
    reference: BARE,
    rows: [
      { system: OURS, value: forwardedUs },
      { system: 'asked of the owner', value: ours!.value },
      ...others,
    ],
    bounds: [],
    note: `${note}; the others are not asked by way of another server`,
  };
}

/** What a request costs two nodes of which the one that is asked owns none of the keys. */
function measureForwarded(
  cluster: ClusterNodes,
  operation: Operation,
  requestsMax: number,
): Promise<number> {
  const { host, members, pids } = cluster;
  return measureCost('a cluster', pids, {
    protocol: 'memhashd',
    host,
    port: cluster.clientPort(0),
    ownedBy: { members, owner: members[1]! },
    operation,
    connections: CONNECTIONS,
    requestsMax,
    durationMaxMs: ROUND_MAX_MS,
  });
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
