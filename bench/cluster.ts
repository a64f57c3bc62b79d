/** The cluster: what forwarding costs, how even the shares are, and what a failing peer does to others. */

import { measureFailures } from './cluster-failures.ts';
import { ClusterNodes } from './cluster-nodes.ts';
import { measureCost } from './cost.ts';
import { PARTITIONS, topologyOf } from './ownership.ts';
import { canMeasureProcessorTime } from './processes.ts';
import type { Operation } from './protocol.ts';
import { randomFrom } from './records.ts';
import type { Effort } from './section.ts';
import { median, OURS, type Series } from './series.ts';

/** A node that forwards, and the owner of what it is asked for. */
const ASKED = 0;
const OWNER = 1;

const CONNECTIONS = 32;
const ROUND_MAX_MS = 30_000;
const OPERATIONS: readonly Operation[] = ['put', 'get'];

const SEED = 20_261_123;

export async function measureCluster(effort: Effort): Promise<Series[]> {
  if (!canMeasureProcessorTime) {
    effort.progress('cluster: left out, it takes the processor times and addresses of Linux');
    return [];
  }
  effort.progress('cluster: forming');
  await using cluster = await ClusterNodes.form();
  return [
    ...(await measureForwarding(cluster, effort)),
    await measureSpread(cluster, effort),
    ...(await measureFailures(cluster, effort)),
  ];
}

/** Asks a node that forwards and the owner itself for the same keys, in turn. */
async function measureForwarding(
  cluster: ClusterNodes,
  { pick, progress }: Effort,
): Promise<Series[]> {
  const rounds = pick(5, 3);
  const requests = pick(6000, 2000);
  const requestsBefore = pick(15_000, 10_000);
  const costsUs = { get: [[0], [0]], put: [[0], [0]] };
  // Round 0 stores the keys and lets compilers and caches settle.
  for (let round = 0; round <= rounds; round++) {
    progress(`cluster: forwarding, round ${round} of ${rounds}`);
    const requestsMax = round === 0 ? requestsBefore : requests;
    for (const operation of OPERATIONS) {
      for (const at of [ASKED, OWNER]) {
        costsUs[operation][at]![round] = await measure(cluster, at, operation, requestsMax);
      }
    }
  }
  const local = 'asked of the owner';
  return OPERATIONS.map((operation) => ({
    id: `cluster-${operation}`,
    title: `${operation.toUpperCase()} that is forwarded: processor time of all nodes per request`,
    unit: 'us',
    reference: local,
    rows: [OURS, local].map((system, at) => ({
      system,
      value: median(costsUs[operation][at]!.slice(1)),
    })),
    bounds: operation === 'get' ? [{ of: 'ratio', limit: 'at most', bound: 1.6 }] : [],
    note: `three nodes, ${CONNECTIONS} connections to one of them, median of ${rounds} rounds`,
  }));
}

/** Microseconds of processor time per request for a key of the owner, asked of any node. */
function measure(
  cluster: ClusterNodes,
  at: number,
  operation: Operation,
  requestsMax: number,
): Promise<number> {
  const { host, members, pids } = cluster;
  return measureCost('a cluster', pids, {
    protocol: 'memhashd',
    host,
    port: cluster.clientPort(at),
    ownedBy: { members, owner: members[OWNER]! },
    operation,
    connections: CONNECTIONS,
    requestsMax,
    durationMaxMs: ROUND_MAX_MS,
  });
}

/** How far the shares are from even: those of the running nodes, and of many sets of addresses. */
async function measureSpread(cluster: ClusterNodes, { pick, progress }: Effort): Promise<Series> {
  const sets = pick(1000, 200);
  progress(`cluster: shares of ${sets} sets of addresses`);
  const told = (await cluster.view(ASKED)).map(({ partitions }) => partitions);
  const random = randomFrom(SEED);
  const byte = (): number => Math.floor(random() * 256);
  const distances = Array.from({ length: sets }, () => {
    const host = [10, byte(), byte(), byte()].join('.');
    const { shares } = topologyOf([2371, 2372, 2373].map((port) => `${host}:${port}`));
    return farthestFromEven(shares);
  });
  return {
    id: 'cluster-spread',
    title: `The share farthest from even, ${PARTITIONS} partitions over three nodes`,
    unit: '%',
    rows: [
      { system: OURS, value: Math.max(...distances) },
      { system: `${OURS}, median`, value: median(distances) },
      { system: `${OURS}, these nodes`, value: farthestFromEven(told) },
    ],
    bounds: [{ of: 'value', limit: 'at most', bound: 3 }],
    note: `the worst of ${sets} sets of addresses, and what the running nodes tell`,
  };
}

/** In percent of an even share. */
function farthestFromEven(shares: readonly number[]): number {
  const even = PARTITIONS / shares.length;
  return Math.max(...shares.map((share) => (Math.abs(share - even) / even) * 100));
}
