/** What a failing peer does: how soon it is seen, how soon it is used again, what others feel of it. */

import { setTimeout as delay } from 'node:timers/promises';

import { timeUntil, type ClusterNodes } from './cluster-nodes.ts';
import { ownedKeys } from './ownership.ts';
import { Worker } from './processes.ts';
import type { Effort } from './section.ts';
import { median, OURS, quantiles, type Quantiles, type Series } from './series.ts';
import type { PacedParameters, PacedResult } from './workers/paced.ts';

/** The nodes by their position. */
const OBSERVERS = [0, 1];
const ASKED = 0;
const FAILING = 2;

/** A failed peer returns up to this later, so at any point of a pause between two dials. */
const AWAY_MAX_MS = 600;

/** Within this time of its return a peer is used again. */
const USED_BOUND_MS = 2000;

const PER_SECOND = 500;
/** From the start of a measurement to the failure in it. */
const FAIL_AFTER_MS = 300;

/** The ways to fail and to return, and the bound that is set for seeing it. */
const FAILURES = [
  {
    name: 'killed',
    seenBoundMs: 1000,
    fail: (cluster: ClusterNodes) => cluster.signal(FAILING, 'SIGKILL'),
    // The start of a process is Node's and the machine's; what counts is when the others notice.
    heal: (cluster: ClusterNodes) => cluster.restart(FAILING),
    healing: 'a killed peer is used again, from when it listens again',
  },
  {
    name: 'stopped',
    seenBoundMs: undefined,
    fail: (cluster: ClusterNodes) => cluster.signal(FAILING, 'SIGSTOP'),
    heal: async (cluster: ClusterNodes) => cluster.signal(FAILING, 'SIGCONT'),
    healing: 'a stopped peer is used again, from when it goes on',
  },
] as const;

export async function measureFailures(cluster: ClusterNodes, effort: Effort): Promise<Series[]> {
  return [...(await measureTimes(cluster, effort)), ...(await measureLatency(cluster, effort))];
}

/** How long the others take to see a failure, and a return. */
async function measureTimes(cluster: ClusterNodes, { pick, progress }: Effort): Promise<Series[]> {
  const rounds = pick(6, 1);
  const timesMs = FAILURES.map(() => ({ seen: [] as number[], used: [] as number[] }));
  for (let round = 1; round <= rounds; round++) {
    progress(`cluster: failures and returns, round ${round} of ${rounds}`);
    for (const [at, { fail, heal }] of FAILURES.entries()) {
      fail(cluster);
      timesMs[at]!.seen.push(...(await untilSeen(cluster)));
      await delay(Math.random() * AWAY_MAX_MS);
      await heal(cluster);
      timesMs[at]!.used.push(...(await untilUsed(cluster)));
      await cluster.complete();
    }
  }
  const timesSeen = rounds * OBSERVERS.length;
  const series = (
    id: string,
    title: string,
    values: number[],
    bound: number | undefined,
  ): Series => ({
    id: `cluster-${id}`,
    title: `Time until ${title}`,
    unit: 'ms',
    rows: [
      { system: OURS, value: Math.max(...values) },
      { system: `${OURS}, median`, value: median(values) },
    ],
    bounds: bound === undefined ? [] : [{ of: 'value', limit: 'at most', bound }],
    note: `of ${timesSeen} times, seen by the two other nodes`,
  });
  return FAILURES.flatMap(({ name, seenBoundMs, healing }, at) => {
    const { seen, used } = timesMs[at]!;
    return [
      series(`${name}-seen`, `a peer that was ${name} is known to be down`, seen, seenBoundMs),
      series(`${name}-used`, healing, used, USED_BOUND_MS),
    ];
  });
}

function untilSeen(cluster: ClusterNodes): Promise<number[]> {
  const sees = async (observer: number): Promise<boolean> =>
    (await cluster.view(observer))[FAILING]!.state === 'down';
  return Promise.all(OBSERVERS.map((observer) => timeUntil(() => sees(observer))));
}

function untilUsed(cluster: ClusterNodes): Promise<number[]> {
  const { members } = cluster;
  const [key] = ownedKeys(members, members[FAILING]!, 1);
  return Promise.all(
    OBSERVERS.map((observer) => timeUntil(() => cluster.reachesOwner(observer, key!))),
  );
}

/** What requests for the keys of living members take while a peer fails, and for its own keys. */
async function measureLatency(
  cluster: ClusterNodes,
  { pick, progress }: Effort,
): Promise<Series[]> {
  const { host, members } = cluster;
  const rounds = pick(5, 1);
  const parameters: PacedParameters = {
    host,
    port: cluster.clientPort(ASKED),
    members,
    failing: members[FAILING]!,
    perSecond: PER_SECOND,
    seconds: pick(2, 1),
  };
  await using client = new Worker('paced', parameters);
  const measure = (): Promise<PacedResult> => {
    client.tell('measure');
    return client.next<PacedResult>();
  };
  await measure(); // lets compilers and caches settle
  const calm: PacedResult[] = [];
  const failing: PacedResult[][] = FAILURES.map(() => []);
  for (let round = 1; round <= rounds; round++) {
    progress(`cluster: latency beside a failing peer, round ${round} of ${rounds}`);
    calm.push(await measure());
    for (const [at, { fail, heal }] of FAILURES.entries()) {
      const measuring = measure();
      await delay(FAIL_AFTER_MS);
      fail(cluster);
      failing[at]!.push(await measuring);
      await heal(cluster);
      await cluster.complete();
    }
  }
  const before = 'before';
  const living = [calm, ...failing].map((results) =>
    results.map(({ livingMs }) => quantiles(livingMs)),
  );
  const systems = [before, ...FAILURES.map(({ name }) => `a peer is ${name}`)];
  const names: readonly [keyof Quantiles, string][] = [
    ['p50', 'Half'],
    ['p99', '99 %'],
    ['p999', '99.9 %'],
  ];
  return [
    ...names.map(([quantile, name]) => ({
      id: `cluster-latency-${quantile}`,
      title: `${name} of the GETs for keys of living members take at most`,
      unit: 'ms',
      reference: before,
      rows: systems.map((system, at) => ({
        system,
        value: median(living[at]!.map((round) => round[quantile])),
      })),
      bounds: [],
      note: `${PER_SECOND} a second at a fixed pace, a tenth for the failing peer; median of ${rounds} rounds`,
    })),
    {
      id: 'cluster-refusal',
      title: 'Longest GET for a key of the failing peer itself',
      unit: 'ms',
      rows: failing.map((results, at) => ({
        system: systems[at + 1]!,
        value: Math.max(...results.flatMap(({ failingMs }) => failingMs)),
      })),
      bounds: [],
      note: 'from its failure on they are refused',
    },
  ];
}
