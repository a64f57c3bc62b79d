/** Connections that come and go: many of them, opened and closed in every way, leave no memory behind. */

import { setTimeout as delay } from 'node:timers/promises';

import { startMemhashd } from './contestants.ts';
import { residentKib } from './idle.ts';
import { runWorker } from './processes.ts';
import type { Effort } from './section.ts';
import { OURS, type Series } from './series.ts';
import type { VisitsParameters } from './workers/visits.ts';

const KIB_PER_MIB = 1024;

/** The connections are opened in so many parts, after each of which there is a look at the memory. */
const PARTS = 10;

/** Time in which a server has dealt with what it was sent. */
const SETTLE_MS = 2000;

/** Compares the memory of a node after all connections with that after the first tenth of them. */
export async function measureConnections({ pick, progress }: Effort): Promise<Series[]> {
  const connections = pick(1_000_000, 50_000);
  await using server = await startMemhashd();
  const mib: number[] = [];
  for (let part = 1; part <= PARTS; part++) {
    const parameters: VisitsParameters = { port: server.port, connections: connections / PARTS };
    await runWorker('visits', parameters);
    await delay(SETTLE_MS);
    mib.push(residentKib(server.pids) / KIB_PER_MIB);
    const opened = (connections * part) / PARTS;
    progress(`connections: ${opened} opened and closed, ${mib.at(-1)!.toFixed(1)} MiB`);
  }
  const early = 'after a tenth of them';
  return [
    {
      id: 'connections-memory',
      title: `memory of the node after ${connections} connections were opened and closed`,
      unit: 'MiB',
      reference: early,
      rows: [
        { system: OURS, value: mib.at(-1)! },
        { system: early, value: mib[0]! },
      ],
      bounds: [{ of: 'ratio', limit: 'at most', bound: 1.1 }],
      note: 'a third each: answered and closed, cut off within a request, reset without a word',
    },
  ];
}
