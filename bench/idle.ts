/** What connections cost that nobody uses: resident memory of the server. */

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { BARE, type Contestant } from './contestants.ts';
import { Worker } from './processes.ts';
import type { Series } from './series.ts';
import type { IdleParameters } from './workers/idle.ts';

/** Time in which a server has dealt with what it was sent. */
const SETTLE_MS = 1500;

const KIB_MAX = 12;

/** Opens `count` connections to each contestant, each of which asks once. */
export async function idleConnections(
  contestants: readonly Contestant[],
  count: number,
  progress: (text: string) => void,
): Promise<Series> {
  const rows = [];
  for (const contestant of contestants) {
    progress(`http: ${count} idle connections to ${contestant.name}`);
    const before = residentKib(contestant.pids);
    await using worker = new Worker('idle', parametersOf(contestant, count));
    await worker.next();
    await delay(SETTLE_MS);
    rows.push({ system: contestant.name, value: (residentKib(contestant.pids) - before) / count });
  }
  return {
    id: 'http-idle',
    title: `memory of the server for each of ${count} idle connections`,
    unit: 'KiB',
    reference: BARE,
    rows,
    bounds: [{ of: 'value', limit: 'at most', bound: KIB_MAX }],
    note: 'each has asked once; a server that has just started takes memory for other reasons, too',
  };
}

function parametersOf({ protocol, port }: Contestant, connections: number): IdleParameters {
  return { protocol, port, connections };
}

/** Resident memory of processes. */
export function residentKib(pids: readonly number[]): number {
  let kib = 0;
  for (const pid of pids) {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    kib += Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
  }
  return kib;
}
