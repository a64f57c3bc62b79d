/** The siege: a cluster is attacked for minutes, in all ways by turns, and has lost nothing at the end. */

import { setTimeout as delay } from 'node:timers/promises';

import { ClusterNodes } from './cluster-nodes.ts';
import { begin, fill, putBig, residentMib } from './hostile.ts';
import { ownedKeys } from './ownership.ts';
import { Worker } from './processes.ts';
import type { Effort } from './section.ts';
import { OURS, quantiles, type Series } from './series.ts';
import { formatFigure } from './table.ts';
import type { AttackName } from './workers/hostile.ts';
import type { ProbeParameters, ProbeResult } from './workers/probe.ts';

const KEYS = 20_000;
const PROBED_KEYS = 200;
const ROUND_SECONDS = 20;
/** Three attacks at a time, with a quarter of their clients each. */
const AT_ONCE = 3;
const SHARE = 0.25;
const HEAP_MIB = 256;
/** What a node may keep of all that for itself, when it is over. */
const KEPT_MIB = 150;
const CALM_MS = 60_000;

const ATTACKS: readonly AttackName[] = [
  'index',
  'lists',
  'puts',
  'drip',
  'pipeline',
  'flood',
  'chunks',
  'unread',
  'objects',
  'strangers',
];

/** Attacks the first of three nodes, which verify their own memory every second. */
export async function siege({ minutes, progress }: Effort): Promise<Series[]> {
  await using cluster = await ClusterNodes.form(3, {
    nodeFlags: [`--max-old-space-size=${HEAP_MIB}`],
    env: { MEMHASHD_CHECK: '1' },
  });
  const keys = ownedKeys(cluster.members, cluster.members[0]!, PROBED_KEYS);
  const tag = `{${keys[0]!}}`;
  await fill(cluster, keys, tag, KEYS);
  const lastIndex = await putBig(cluster, `${tag}big`);
  // All that the attacks store: what they take beyond that they take for themselves.
  for (let n = 0; n < 16; n++) await putBig(cluster, `${tag}put${n}`);
  await putBig(cluster, `${tag}put`);
  await delay(5000);
  const beforeMib = residentMib(cluster.pids[0]!, 'VmRSS');
  await using probe = new Worker('probe', {
    host: cluster.host,
    port: cluster.clientPort(1),
    keys,
    perSecond: 20,
    seconds: ROUND_SECONDS,
  } satisfies ProbeParameters);
  const tookMs: number[] = [];
  let errors = 0;
  const rounds = Math.ceil((minutes * 60) / ROUND_SECONDS);
  for (let round = 0; round < rounds; round++) {
    const names = Array.from(
      { length: AT_ONCE },
      (_, n) => ATTACKS[(round + 3 * n) % ATTACKS.length]!,
    );
    const workers = await Promise.all(
      names.map((name) => begin(cluster, name, { tag, lastIndex, share: SHARE })),
    );
    probe.tell('measure');
    const result = await probe.next<ProbeResult>();
    tookMs.push(...result.tookMs);
    errors += result.errors;
    await Promise.all(workers.map((worker) => worker[Symbol.asyncDispose]()));
    const mib = cluster.pids.map((pid) => formatFigure(residentMib(pid, 'VmRSS'))).join(', ');
    const { p99, max } = quantiles(result.tookMs);
    progress(
      `siege: ${names.join(' + ')}: via another member p99 ${formatFigure(p99)} ms, ` +
        `longest ${formatFigure(max)} ms, ${describeErrors(result)}; ${mib} MiB`,
    );
  }
  await delay(CALM_MS);
  const keptMib = residentMib(cluster.pids[0]!, 'VmRSS') - beforeMib;
  const missing = await countMissing(cluster, [...keys, ...keysOf(tag)]);
  const codes = await Promise.all(cluster.members.map((_, at) => cluster.stop(at)));
  const isWhole = { of: 'value', limit: 'at most', bound: 0 } as const;
  return [
    {
      id: 'siege-answers',
      title: `${minutes} minutes of attacks: a small GET via another member, p99`,
      unit: 'ms',
      rows: [{ system: OURS, value: quantiles(tookMs).p99 }],
      bounds: [],
      note: `nodes verified their memory meanwhile, which holds them up; longest ${formatFigure(quantiles(tookMs).max)} ms`,
    },
    {
      id: 'siege-errors',
      title: 'Of them without an answer',
      unit: `of ${tookMs.length}`,
      rows: [{ system: OURS, value: errors }],
      bounds: [isWhole],
    },
    {
      id: 'siege-records',
      title: 'Records that are missing afterwards',
      unit: `of ${keys.length + KEYS}`,
      rows: [{ system: OURS, value: missing }],
      bounds: [isWhole],
    },
    {
      id: 'siege-memory',
      title: 'Memory that the attacked node has kept a minute later',
      unit: 'MiB',
      rows: [{ system: OURS, value: keptMib }],
      bounds: [{ of: 'value', limit: 'at most', bound: KEPT_MIB }],
    },
    {
      id: 'siege-damage',
      title: 'Nodes that ended otherwise than they should, or found their memory damaged',
      unit: `of ${codes.length}`,
      rows: [{ system: OURS, value: codes.filter((code) => code !== 0).length }],
      bounds: [isWhole],
    },
  ];
}

/** How many errors there were, and which. */
function describeErrors({ errors, kinds }: ProbeResult): string {
  const each = Object.entries(kinds).map(([kind, count]) => ` (${count}: ${kind})`);
  return `${errors} errors${each.join('')}`;
}

/** The keys that {@link fill} makes. */
function keysOf(tag: string): string[] {
  return Array.from({ length: KEYS }, (_, at) => `${tag}key:${at}`);
}

/** How many of some keys the third node does not find. */
async function countMissing(cluster: ClusterNodes, keys: readonly string[]): Promise<number> {
  const response = await fetch(
    `http://${cluster.host}:${cluster.clientPort(2)}/v1/keys?scope=cluster`,
  );
  const found = new Set((await response.json()) as string[]);
  return keys.filter((key) => !found.has(key)).length;
}
