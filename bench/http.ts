/** What a request costs: processor time of the server for GET and PUT, beside other servers. */

import { BARE, startContestants, type Contestant } from './contestants.ts';
import { measureCost } from './cost.ts';
import { canMeasureProcessorTime } from './processes.ts';
import type { Operation } from './protocol.ts';
import type { Effort } from './section.ts';
import { median, type Series } from './series.ts';

const CONNECTIONS = 32;
const ROUND_MAX_MS = 30_000;

const OPERATIONS: readonly Operation[] = ['put', 'get'];

/** At most so many times the processor time of the barest server. */
const RATIO_BOUNDS = { get: 1.25, put: 1.4 } as const;

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
    const costsUs = { get: contestants.map(() => [0]), put: contestants.map(() => [0]) };
    // Round 0 stores the keys and lets compilers and caches settle.
    for (let round = 0; round <= rounds; round++) {
      progress(`http: round ${round} of ${rounds}, ${contestants.length} servers`);
      for (const operation of OPERATIONS) {
        for (let turn = 0; turn < contestants.length; turn++) {
          // Another one goes first each time: what one leaves behind to do disturbs the next.
          const at = (round + turn) % contestants.length;
          costsUs[operation][at]![round] = await measure(contestants[at]!, operation, requests);
        }
      }
    }
    return OPERATIONS.map((operation) => ({
      id: `http-${operation}`,
      title: `${operation.toUpperCase()}: processor time of the server per request`,
      unit: 'us',
      reference: BARE,
      rows: contestants.map(({ name }, at) => ({
        system: name,
        value: median(costsUs[operation][at]!.slice(1)),
      })),
      bounds: [{ of: 'ratio', limit: 'at most', bound: RATIO_BOUNDS[operation] }],
      note: `${CONNECTIONS} connections, 20-byte keys, 50-byte values, median of ${rounds} rounds`,
    }));
  } finally {
    for (const contestant of contestants) await contestant[Symbol.asyncDispose]();
  }
}

/** Microseconds of processor time per request. */
function measure(
  { name, protocol, port, pids }: Contestant,
  operation: Operation,
  requestsMax: number,
): Promise<number> {
  return measureCost(name, pids, {
    protocol,
    port,
    operation,
    connections: CONNECTIONS,
    requestsMax,
    durationMaxMs: ROUND_MAX_MS,
  });
}
