/** Expiry: how late memory is freed, what that costs, and whether a storm holds up requests. */

import { runWorker, Worker } from './processes.ts';
import type { Effort } from './section.ts';
import { OURS, type Series } from './series.ts';
import type { LagParameters, LagResult } from './workers/lag.ts';
import type { LoadParameters, LoadResult } from './workers/load.ts';
import type { StormParameters, StormReady, StormResult } from './workers/storm.ts';

const RECORDS = 1_000_000;
const DUE_PER_SECOND = 5000;
const STORM_RECORDS = 200_000;

/** The storm comes in the middle of a load that takes twice as long. */
const STORM_AFTER_MS = 2000;
const WARM_UP_MS = 1000;
const CONNECTIONS = 8;

export async function measureExpiry(effort: Effort): Promise<Series[]> {
  return [...(await measureLag(effort)), ...(await measureStorm(effort))];
}

async function measureLag({ pick, progress }: Effort): Promise<Series[]> {
  const parameters: LagParameters = {
    records: RECORDS,
    duePerSecond: DUE_PER_SECOND,
    seconds: pick(60, 4),
  };
  progress(`expiry: lag, ${parameters.seconds} s after 6 s of preparation`);
  const { lagMs, coreShare } = await runWorker<LagResult>('lag', parameters);
  const note = `a million records that expire, ${DUE_PER_SECOND} due a second`;
  return [
    {
      id: 'expiry-lag',
      title: 'Removal lag, from the deadline until the memory is free',
      unit: 'ms',
      rows: [
        { system: `${OURS}, p50`, value: lagMs.p50 },
        { system: OURS, value: lagMs.p99 },
        { system: `${OURS}, max`, value: lagMs.max },
      ],
      bounds: [{ of: 'value', limit: 'at most', bound: 100 }],
      note: `${note}; the bound is on p99`,
    },
    {
      id: 'expiry-share',
      title: 'Processor time that expiry takes',
      unit: '% of a core',
      rows: [{ system: OURS, value: coreShare * 100 }],
      bounds: [],
      note,
    },
  ];
}

async function measureStorm({ progress }: Effort): Promise<Series[]> {
  progress('expiry: storm');
  const parameters: StormParameters = {
    records: RECORDS,
    stormRecords: STORM_RECORDS,
    dueAfterMs: STORM_AFTER_MS,
  };
  await using node = new Worker('storm', parameters);
  const { port } = await node.next<StormReady>();
  const load: LoadParameters = {
    protocol: 'memhashd',
    port,
    operation: 'get',
    connections: CONNECTIONS,
    requestsMax: 1_000_000,
    durationMaxMs: 2 * STORM_AFTER_MS,
  };
  await runWorker<LoadResult>('load', { ...load, durationMaxMs: WARM_UP_MS });
  const calm = await runWorker<LoadResult>('load', { ...load, durationMaxMs: STORM_AFTER_MS });
  node.tell('prepare');
  await node.next();
  const [stormy, { freedAfterMs, pauses }] = await Promise.all([
    runWorker<LoadResult>('load', load),
    node.next<StormResult>(),
  ]);
  node.tell('finish');
  await node.end();
  const title = `${STORM_RECORDS / 1000},000 records are due at once, ${CONNECTIONS} connections load`;
  return [
    {
      id: 'expiry-storm-pause',
      title: `Longest time in which no request is served while ${title}`,
      unit: 'ms',
      rows: [{ system: OURS, value: pauses.longestMs }],
      bounds: [{ of: 'value', limit: 'at most', bound: 10 }],
      note: `in the node; all freed after ${freedAfterMs.toFixed(0)} ms`,
    },
    {
      id: 'expiry-storm-request',
      title: `Longest request while ${title}`,
      unit: 'ms',
      rows: [
        { system: OURS, value: stormy.latencyMs.max },
        { system: `${OURS}, no storm`, value: calm.latencyMs.max },
      ],
      bounds: [],
      note: 'seen by the clients, with what the machine does besides',
    },
  ];
}
