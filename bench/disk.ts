/** What it costs to keep records on disk: requests, syncs, and the start. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startMemhashd, type Contestant } from './contestants.ts';
import { measureCost } from './cost.ts';
import { canMeasureProcessorTime, runWorker } from './processes.ts';
import type { Operation } from './protocol.ts';
import type { Effort } from './section.ts';
import { median, OURS, type Series } from './series.ts';
import type { DiskParameters, DiskResult } from './workers/disk.ts';

const CONNECTIONS = 32;
const ROUND_MAX_MS = 30_000;
const MEMORY = 'memhashd without a directory';
const ALWAYS = 'memhashd -fsync always';
/** As a program writes it: `for await (const entry of level.iterator())`. */
const BARE = 'a bare iteration of the LevelDB';
const BARE_BY_PIECES = 'the same with nextv(1000)';

/** At most so many times what a request takes without a directory. */
const RATIOS = { put: 1.5, get: 1.05 } as const;

const OPERATIONS = ['put', 'get'] as const satisfies readonly Operation[];

export async function measureDisk(effort: Effort): Promise<Series[]> {
  const directory = mkdtempSync(join(tmpdir(), 'memhashd-bench-'));
  try {
    const series = canMeasureProcessorTime ? await measureRequests(effort, directory) : [];
    for (const [at, records] of [effort.pick(1e6, 2e5), effort.pick(1e7, 0)].entries()) {
      if (records === 0) continue;
      effort.progress(`disk: syncs, and a start with ${records} records`);
      series.push(...(await measureStart(join(directory, `start-${at}`), records)));
    }
    return series;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Requests to three nodes in turn. */
async function measureRequests({ pick, progress }: Effort, directory: string): Promise<Series[]> {
  const rounds = pick(15, 5);
  const requests = pick(20_000, 10_000);
  await using memory = await startMemhashd();
  await using interval = await startMemhashd(['-data-dir', join(directory, 'interval')]);
  const always = ['-data-dir', join(directory, 'always'), '-fsync', 'always'];
  await using synced = await startMemhashd(always);
  const nodes: [string, Contestant][] = [
    [OURS, interval],
    [MEMORY, memory],
    [ALWAYS, synced],
  ];
  const costsUs = OPERATIONS.map(() => nodes.map((): number[] => []));
  // Round 0 stores the keys and lets compilers and caches settle.
  for (let round = 0; round <= rounds; round++) {
    progress(`disk: round ${round} of ${rounds}`);
    for (const [n, operation] of OPERATIONS.entries()) {
      for (const [at, [name, node]] of nodes.entries()) {
        costsUs[n]![at]![round] = await measure(name, node, operation, requests);
      }
    }
  }
  return OPERATIONS.map((operation, n) => ({
    id: `disk-${operation}`,
    title: `${operation.toUpperCase()} with a data directory: processor time of all threads per request`,
    unit: 'us',
    reference: MEMORY,
    rows: nodes.map(([system], at) => ({ system, value: median(costsUs[n]![at]!.slice(1)) })),
    bounds: [{ of: 'ratio', limit: 'at most', bound: RATIOS[operation] }],
    note: `${CONNECTIONS} connections, 20-byte keys, 50-byte values, median of ${rounds} rounds`,
  }));
}

function measure(
  name: string,
  { protocol, port, pids }: Contestant,
  operation: Operation,
  requests: number,
): Promise<number> {
  return measureCost(name, pids, {
    protocol,
    port,
    operation,
    connections: CONNECTIONS,
    requestsMax: requests,
    durationMaxMs: ROUND_MAX_MS,
  });
}

async function measureStart(directory: string, records: number): Promise<Series[]> {
  const parameters: DiskParameters = { directory, records };
  const { bareMs, bareByPiecesMs, startMs, writesPerSync } = await runWorker<DiskResult>(
    'disk',
    parameters,
  );
  const millions = records / 1e6;
  return [
    {
      id: `disk-start-${millions}m`,
      title: `Start with ${millions} million records of 50 bytes on disk`,
      unit: 's',
      reference: BARE,
      rows: [
        { system: OURS, value: startMs / 1000 },
        { system: BARE, value: bareMs / 1000 },
        { system: BARE_BY_PIECES, value: bareByPiecesMs / 1000 },
      ],
      bounds: [{ of: 'ratio', limit: 'at most', bound: 2 }],
      note: 'every byte checked, all records in memory; the medians of three',
    },
    {
      id: `disk-syncs-${millions}m`,
      title: '-fsync always, 64 clients at a time: changes for each sync of the disk',
      unit: 'changes',
      rows: [{ system: OURS, value: writesPerSync }],
      bounds: [{ of: 'value', limit: 'at least', bound: 8 }],
    },
  ];
}
