/** What requests cost the processes that serve them. */

import { processorTimeUs, runWorker } from './processes.ts';
import type { LoadParameters, LoadResult } from './workers/load.ts';

/** Runs a load on the processes with these ids; returns microseconds of processor time per request. */
export async function measureCost(
  name: string,
  pids: readonly number[],
  parameters: LoadParameters,
): Promise<number> {
  const beforeUs = processorTimeUs(pids);
  const { requests, failures } = await runWorker<LoadResult>('load', parameters);
  const usedUs = processorTimeUs(pids) - beforeUs;
  if (failures > 0) throw new Error(`${name} failed ${failures} of ${requests} requests`);
  return usedUs / requests;
}
