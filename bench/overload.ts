/** A node that is asked for twice what it can do: how much it still serves, and how fast. */

import { startMemhashd, type Contestant } from './contestants.ts';
import { runWorker } from './processes.ts';
import type { Effort } from './section.ts';
import { OURS, type Series } from './series.ts';
import type { LoadParameters } from './workers/load.ts';
import type { OfferedParameters, OfferedResult } from './workers/offered.ts';

const CONNECTIONS = 32;
/** The rates at which the best is looked for, each so much above the one before. */
const FIRST_PER_SECOND = 40_000;
const STEP = 1.25;
/** Below this share of what is offered a node is past its best. */
const KEEPS_UP_SHARE = 0.9;
const WARM_UP_MS = 2000;
const SERVED_SHARE_MIN = 0.9;
const P99_MS_MAX = 100;

export async function measureOverload({ pick, progress }: Effort): Promise<Series[]> {
  const durationMs = pick(5000, 2000);
  await using node = await startMemhashd();
  await store(node);
  const offer = (perSecond: number): Promise<OfferedResult> => {
    progress(`overload: ${Math.round(perSecond)} requests a second`);
    return runWorker<OfferedResult>('offered', {
      port: node.port,
      connections: CONNECTIONS,
      perSecond,
      warmUpMs: WARM_UP_MS,
      durationMs,
    } satisfies OfferedParameters);
  };
  let best = 0;
  for (let perSecond = FIRST_PER_SECOND; ; perSecond *= STEP) {
    const { servedPerSecond } = await offer(perSecond);
    best = Math.max(best, servedPerSecond);
    if (servedPerSecond < KEEPS_UP_SHARE * perSecond) break;
  }
  const { servedPerSecond, refusedPerSecond, failures, latencyMs } = await offer(2 * best);
  const note = `${CONNECTIONS} connections that do not wait for answers, ${Math.round(refusedPerSecond)} refused a second, ${failures} failed`;
  return [
    {
      id: 'overload-rate',
      title: 'GETs served of twice as many as can be',
      unit: '1/s',
      reference: 'its best',
      rows: [
        { system: OURS, value: servedPerSecond },
        { system: 'its best', value: best },
      ],
      bounds: [{ of: 'ratio', limit: 'at least', bound: SERVED_SHARE_MIN }],
      note,
    },
    {
      id: 'overload-p99',
      title: 'The same: from when one was due to its answer, p99 of those served',
      unit: 'ms',
      rows: [{ system: OURS, value: latencyMs.p99 }],
      bounds: [{ of: 'value', limit: 'at most', bound: P99_MS_MAX }],
    },
  ];
}

/** Stores the values that are asked for. */
async function store({ port, protocol }: Contestant): Promise<void> {
  await runWorker('load', {
    protocol,
    port,
    operation: 'put',
    connections: 8,
    requestsMax: 20_000,
    durationMaxMs: 30_000,
    keys: 1000,
  } satisfies LoadParameters);
}
