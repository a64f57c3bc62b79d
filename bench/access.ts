/** What it costs to check a token: a GET at a node that asks for one, beside one that does not. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { makeToken } from '../src/api/access.ts';
import { startMemhashd, type Contestant } from './contestants.ts';
import { measureCost } from './cost.ts';
import { canMeasureProcessorTime } from './processes.ts';
import type { Operation } from './protocol.ts';
import type { Effort } from './section.ts';
import { median, OURS, type Series } from './series.ts';

const CONNECTIONS = 32;
const ROUND_MAX_MS = 30_000;
const OPEN = 'memhashd without tokens';
const RATIO_BOUND = 1.05;

/** Measures loads at both nodes in turn. */
export async function measureAccess({ pick, progress }: Effort): Promise<Series[]> {
  if (!canMeasureProcessorTime) {
    progress('access: left out, only Linux tells the processor time of a process');
    return [];
  }
  const rounds = pick(15, 5);
  const requests = pick(20_000, 10_000);
  const directory = mkdtempSync(join(tmpdir(), 'memhashd-bench-'));
  const file = join(directory, 'tokens');
  const made = makeToken({ name: 'bench', rights: ['read', 'write'], prefixes: undefined });
  writeFileSync(file, made.entry);
  try {
    await using open = await startMemhashd();
    await using guarded = await startMemhashd(['-auth-file', file]);
    const costsUs: { open: number[]; guarded: number[] } = { open: [], guarded: [] };
    for (let round = 0; round <= rounds; round++) {
      progress(`access: round ${round} of ${rounds}`);
      // Round 0 stores the keys and lets compilers and caches settle.
      for (const operation of round === 0 ? (['put', 'get'] as const) : (['get'] as const)) {
        const openUs = await measure(OPEN, open, operation, requests);
        const guardedUs = await measure(OURS, guarded, operation, requests, made.token);
        if (round === 0) continue;
        costsUs.open.push(openUs);
        costsUs.guarded.push(guardedUs);
      }
    }
    return [
      {
        id: 'access-get',
        title: 'GET with a token: processor time of the server per request',
        unit: 'us',
        reference: OPEN,
        rows: [
          { system: OURS, value: median(costsUs.guarded) },
          { system: OPEN, value: median(costsUs.open) },
        ],
        bounds: [{ of: 'ratio', limit: 'at most', bound: RATIO_BOUND }],
        note: `${CONNECTIONS} connections, 20-byte keys, 50-byte values, median of ${rounds} rounds`,
      },
    ];
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function measure(
  name: string,
  { pids, port, protocol }: Contestant,
  operation: Operation,
  requestsMax: number,
  token?: string,
): Promise<number> {
  return measureCost(name, pids, {
    protocol,
    port,
    operation,
    connections: CONNECTIONS,
    requestsMax,
    durationMaxMs: ROUND_MAX_MS,
    ...(token !== undefined && { token }),
  });
}
