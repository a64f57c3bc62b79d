/** A data directory: how many changes share a sync, and how long it takes to read records back. */

import { ClassicLevel } from 'classic-level';

import { systemClock } from '../../src/base/clock.ts';
import { systemTimers } from '../../src/base/timers.ts';
import { DataDirectory } from '../../src/disk/directory.ts';
import { Journal, type FsyncMode } from '../../src/disk/journal.ts';
import { Disk } from '../../src/node/disk.ts';
import { createLog } from '../../src/node/log.ts';
import type { Store } from '../../src/store/store.ts';
import { report, workerParameters } from '../processes.ts';
import { KeySource, valueOf } from '../records.ts';
import { median } from '../series.ts';
import { createStore } from '../subjects.ts';

export interface DiskParameters {
  readonly directory: string;
  readonly records: number;
}

export interface DiskResult {
  readonly writesPerSync: number;
  /** For `for await` over all entries of LevelDB, as a program would write it, and nothing else. */
  readonly bareMs: number;
  /** The same by a thousand entries at a time, the fastest that classic-level has. */
  readonly bareByPiecesMs: number;
  /** From the directory to the records in a store. */
  readonly startMs: number;
}

const { directory: path, records } = workerParameters() as DiskParameters;

const CLIENTS = 64;
const SYNCED_CHANGES = 6400;
const STARTS = 3;

/** The settings of the node whose start is measured. */
const FLAGS = {
  'data-dir': path,
  'num-partitions': 16_384,
  fsync: 'none',
  'fsync-interval': 1000,
} as const;

/** Changes that are made before the journal may write them. */
const PER_TURN = 1000;

const keys = new KeySource();

await fill();
const writesPerSync = await countSyncs();
const bare: number[] = [];
const bareByPieces: number[] = [];
const start: number[] = [];
for (let round = 0; round < STARTS; round++) {
  bare.push(await timed(() => iterate(eachEntry)));
  bareByPieces.push(await timed(() => iterate(eachPiece)));
  start.push(await timed(recover));
}
report({
  writesPerSync,
  bareMs: median(bare),
  bareByPiecesMs: median(bareByPieces),
  startMs: median(start),
} satisfies DiskResult);

async function fill(): Promise<void> {
  const { journal, store } = await openJournal('none');
  for (let n = 0; n < records; n++) {
    const reply = store.serve({ action: 'store', key: keys.key(n), value: valueOf(), ttlNs: 0n });
    if (reply instanceof Promise) await reply;
    if (n % PER_TURN === 0) await journal.flush();
  }
  await journal.close();
}

async function countSyncs(): Promise<number> {
  const { journal, store } = await openJournal('always');
  const before = journal.stats().batches;
  const client = async (first: number): Promise<void> => {
    for (let n = first; n < SYNCED_CHANGES; n += CLIENTS) {
      await store.serve({ action: 'store', key: keys.key(n), value: valueOf(), ttlNs: 0n });
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, first) => client(first)));
  const syncs = journal.stats().batches - before;
  await journal.close();
  return SYNCED_CHANGES / syncs;
}

async function openJournal(fsync: FsyncMode): Promise<{ journal: Journal; store: Store }> {
  const store = createStore(systemClock);
  const journal = new Journal({
    directory: await openDirectory(),
    fsync,
    fsyncIntervalMs: 1000,
    timers: systemTimers,
    onState: () => {},
  });
  store.attach(journal);
  journal.begin();
  return { journal, store };
}

function openDirectory(): Promise<DataDirectory> {
  return DataDirectory.open(path, {
    partitions: FLAGS['num-partitions'],
    id: 'bench',
    hashKey: [1, 2],
  });
}

type Level = ClassicLevel<Buffer, Buffer>;

async function eachEntry(level: Level): Promise<number> {
  let entries = 0;
  for await (const _ of level.iterator()) entries++;
  return entries;
}

async function eachPiece(level: Level): Promise<number> {
  await level.open();
  const iterator = level.iterator();
  for (let entries = 0; ; ) {
    const { length } = await iterator.nextv(PER_TURN);
    if (length === 0) return entries;
    entries += length;
  }
}

async function iterate(count: (level: Level) => Promise<number>): Promise<void> {
  const level: Level = new ClassicLevel(`${path}/records`, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    compression: false,
  });
  const entries = await count(level);
  await level.close();
  if (entries !== records) throw new Error(`${entries} of ${records} entries`);
}

async function recover(): Promise<void> {
  const log = createLog({ format: 'json', level: 'error' }, process.stderr);
  const disk = await Disk.open(FLAGS, log);
  const store = createStore(systemClock);
  await disk?.recover(store);
  await disk?.close();
  if (store.stats().records !== records) throw new Error('records are missing');
}

async function timed(run: () => Promise<void>): Promise<number> {
  const before = performance.now();
  await run();
  return performance.now() - before;
}
