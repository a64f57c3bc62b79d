/**
 * What a small request waits for beside clients that mean harm, what memory they take, and what no request
 * may take long for.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { ClusterNodes } from './cluster-nodes.ts';
import { ownedKeys } from './ownership.ts';
import { runWorker, Worker } from './processes.ts';
import type { Effort, Section } from './section.ts';
import { OURS, quantiles, type Series } from './series.ts';
import type { AttackName, HostileParameters } from './workers/hostile.ts';
import type { JsonParameters, JsonResult } from './workers/json.ts';
import type { ProbeParameters, ProbeResult } from './workers/probe.ts';

/** The node that is attacked, and one that is asked for the same keys. */
const ATTACKED = 0;
const OTHER = 1;

interface Attack {
  readonly name: AttackName;
  readonly title: string;
}

const ATTACKS: readonly Attack[] = [
  { name: 'index', title: '50 clients ask for the last element of a list of 16 MiB' },
  { name: 'lists', title: '200 lists of a prefix that matches nothing' },
  { name: 'puts', title: '16 clients store 16 MiB each, again and again' },
  { name: 'drip', title: '500 clients send a byte at a time' },
  { name: 'pipeline', title: '300 clients pipeline requests' },
];

const HEAP_MIB = 256;
const MEMORY_BOUND_MIB = 300;
const HERE_BOUND_MS = 50;
const OTHER_BOUND_MS = 100;
const PER_SECOND = 100;
const PROBED_KEYS = 200;
const BATCH_OPERATIONS = 5000;
const BIG_BYTES = 16 * 1024 * 1024;

/** Attacks on memory, at a node with a heap of 256 MiB. */
const MEMORY_ATTACKS: readonly Attack[] = [
  { name: 'flood', title: '300 clients pipeline requests behind an answer that they do not read' },
  { name: 'chunks', title: '20 clients send chunks of one byte' },
  {
    name: 'unread',
    title: '200 clients do not read a value of 16 MiB that is stored again and again',
  },
  { name: 'objects', title: '40 clients store 16 MiB of empty objects' },
  { name: 'strangers', title: '100 strangers announce 16 MiB to the port for members' },
];

export const measureHostile: Section = async (effort) => {
  const isAskedFor = ({ name }: Attack): boolean => effort.attacks?.includes(name) ?? true;
  const series = effort.attacks === undefined ? await measureJson(effort) : [];
  const attacks = ATTACKS.filter(isAskedFor);
  if (attacks.length > 0) series.push(...(await measureAttacks(effort, attacks)));
  for (const attack of MEMORY_ATTACKS.filter(isAskedFor)) {
    series.push(await measureMemory(effort, attack));
  }
  return series;
};

async function measureJson({ pick, progress }: Effort): Promise<Series[]> {
  progress('hostile: the check of JSON');
  const { checkNs, parseNs, patchNs, scanNs, pieceMs, pieceOf } = await runWorker<JsonResult>(
    'json',
    { rounds: pick(15, 5) } satisfies JsonParameters,
  );
  return [
    {
      id: 'hostile-check',
      title: 'The check of a body of 60 bytes',
      unit: 'ns',
      reference: 'JSON.parse',
      rows: [
        { system: OURS, value: checkNs },
        { system: 'JSON.parse', value: parseNs },
      ],
      bounds: [{ of: 'ratio', limit: 'at most', bound: 1 }],
    },
    {
      id: 'hostile-piece',
      title: 'The longest piece of a check of 16 MiB',
      unit: 'ms',
      rows: [{ system: OURS, value: pieceMs }],
      bounds: [{ of: 'value', limit: 'at most', bound: 5 }],
      note: `of eight kinds of text; it was ${pieceOf}`,
    },
    {
      id: 'hostile-patch',
      title: 'A JSON patch of one number in a document of 16 KiB',
      unit: 'ns',
      reference: 'a scan of it',
      rows: [
        { system: OURS, value: patchNs },
        { system: 'a scan of it', value: scanNs },
      ],
      bounds: [{ of: 'ratio', limit: 'at most', bound: 2 }],
    },
  ];
}

async function measureAttacks(effort: Effort, attacks: readonly Attack[]): Promise<Series[]> {
  await using cluster = await ClusterNodes.form();
  const keys = ownedKeys(cluster.members, cluster.members[ATTACKED]!, PROBED_KEYS);
  const tag = `{${keys[0]!}}`;
  effort.progress('hostile: filling a node');
  await fill(cluster, keys, tag, effort.pick(1_000_000, 50_000));
  const lastIndex = await putBig(cluster, `${tag}big`);
  const seconds = effort.pick(10, 2);
  const probe = (at: number): Worker => {
    const target = { host: cluster.host, port: cluster.clientPort(at), keys };
    return new Worker('probe', {
      ...target,
      perSecond: PER_SECOND,
      seconds,
    } satisfies ProbeParameters);
  };
  await using here = probe(ATTACKED);
  await using other = probe(OTHER);
  await take(here, other);
  const quiet = await take(here, other);
  const series: Series[] = [];
  for (const { name, title } of attacks) {
    effort.progress(`hostile: ${title}`);
    await using attack = await begin(cluster, name, { tag, lastIndex });
    const [hereTook, otherTook] = await take(here, other);
    series.push(
      row(`${name}-here`, `GET beside: ${title}`, hereTook, quiet[0], HERE_BOUND_MS),
      row(`${name}-other`, `The same via another member`, otherTook, quiet[1], OTHER_BOUND_MS),
    );
    await attack[Symbol.asyncDispose]();
    await delay(1000);
  }
  return series;
}

/** Memory of the process under an attack, beyond what it had with the records that the attack stores. */
async function measureMemory(effort: Effort, { name, title }: Attack): Promise<Series> {
  effort.progress(`hostile: ${title}`);
  const nodeFlags = [`--max-old-space-size=${HEAP_MIB}`];
  await using cluster = await ClusterNodes.form(1, { nodeFlags });
  const lastIndex = await putBig(cluster, 'big');
  for (let n = 0; n < 4; n++) await putBig(cluster, `put${n}`);
  const pid = cluster.pids[ATTACKED]!;
  await delay(1000);
  const before = residentMib(pid, 'VmRSS');
  // Begins the peak anew (proc(5)).
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  await using attack = await begin(cluster, name, { tag: '', lastIndex });
  await delay(effort.pick(15_000, 3000));
  await attack[Symbol.asyncDispose]();
  const peak = residentMib(pid, 'VmHWM');
  await send(cluster, 'PUT', '/v1/keys/small', '{"data":1}');
  return {
    id: `hostile-memory-${name}`,
    title: `Memory taken while ${title}`,
    unit: 'MiB',
    rows: [{ system: OURS, value: peak - before }],
    bounds: [{ of: 'value', limit: 'at most', bound: MEMORY_BOUND_MIB }],
    note: `the heap may have ${HEAP_MIB} MiB`,
  };
}

/** A figure of `/proc/<pid>/status`. */
export function residentMib(pid: number, figure: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(new RegExp(`${figure}:\\s+(\\d+)`).exec(status)![1]) / 1024;
}

/** Starts an attack on the first node, with keys that begin with a tag. */
export async function begin(
  cluster: ClusterNodes,
  attack: AttackName,
  { tag, lastIndex, share = 1 }: { tag: string; lastIndex: number; share?: number },
): Promise<Worker> {
  const { host, members } = cluster;
  const worker = new Worker('hostile', {
    host,
    port: cluster.clientPort(ATTACKED),
    peerPort: Number(members[ATTACKED]!.split(':')[1]),
    attack,
    bigKey: `${tag}big`,
    lastIndex,
    prefix: `${tag}put`,
    share,
  } satisfies HostileParameters);
  await worker.next();
  return worker;
}

async function take(...probes: Worker[]): Promise<[ProbeResult, ProbeResult]> {
  for (const probe of probes) probe.tell('measure');
  const [here, other] = await Promise.all(probes.map((probe) => probe.next<ProbeResult>()));
  return [here!, other!];
}

function row(
  id: string,
  title: string,
  beside: ProbeResult,
  quiet: ProbeResult,
  boundMs: number,
): Series {
  return {
    id: `hostile-${id}`,
    title: `${title}, p99`,
    unit: 'ms',
    rows: [
      { system: OURS, value: quantiles(beside.tookMs).p99 },
      { system: 'quiet', value: quantiles(quiet.tookMs).p99 },
    ],
    bounds: [{ of: 'value', limit: 'at most', bound: boundMs }],
    note: `${beside.errors} of ${beside.tookMs.length} requests failed`,
  };
}

/** Stores the small values that are asked for, and so many more keys in one partition. */
export async function fill(
  cluster: ClusterNodes,
  keys: readonly string[],
  tag: string,
  count: number,
): Promise<void> {
  const all = [...keys, ...Array.from({ length: count }, (_, at) => `${tag}key:${at}`)];
  for (let at = 0; at < all.length; at += BATCH_OPERATIONS) {
    const stores = all.slice(at, at + BATCH_OPERATIONS).map((key) => ({ store: key, data: at }));
    await send(cluster, 'POST', '/v1/batch', JSON.stringify(stores));
  }
}

/** Stores a list of 16 MiB; returns the position of its last element. */
export async function putBig(cluster: ClusterNodes, key: string): Promise<number> {
  const count = BIG_BYTES / 2 - 2;
  const path = `/v1/keys/${encodeURIComponent(key)}`;
  await send(cluster, 'PUT', path, `{"data":[${'1,'.repeat(count)}1]}`);
  return count;
}

async function send(
  { host, clientPort }: Pick<ClusterNodes, 'host' | 'clientPort'>,
  method: string,
  path: string,
  body: string,
): Promise<void> {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(`http://${host}:${clientPort(ATTACKED)}${path}`, {
    method,
    headers,
    body,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${text.slice(0, 200)}`);
}
