/** The journal: writes every change of a store to the LevelDB of its data directory. */

import { open, statfs } from 'node:fs/promises';

import { failure, type Failure } from '../base/errors.ts';
import {
  DISK_RETRY_MS,
  DISK_ROOM_BYTES_MIN,
  JOURNAL_DELAY_MS,
  JOURNAL_PIECE_OPERATIONS,
  JOURNAL_UNWRITTEN_BYTES_MAX,
} from '../base/limits.ts';
import type { Cancel, Timers } from '../base/timers.ts';
import type { Change, Sink } from '../record/change.ts';
import type { DataDirectory, Records } from './directory.ts';
import { entryName, entryOf, namesOf } from './format.ts';
import { logFiles } from './level-log.ts';

/**
 * When what was written is made safe from a failure of the machine: before it is answered, at intervals,
 * or when the system does it.
 */
export const FSYNC_MODES = ['always', 'interval', 'none'] as const;

export type FsyncMode = (typeof FSYNC_MODES)[number];

export interface JournalOptions {
  readonly directory: DataDirectory;
  readonly fsync: FsyncMode;
  readonly fsyncIntervalMs: number;
  readonly timers: Timers;
  /** Makes what is in a file safe from a failure of the machine; by the system, unless it is given. */
  readonly syncFile?: (name: string) => Promise<void>;
  /** Hears that the disk fails, and that it works again. */
  readonly onState: (refusal: Failure | undefined) => void;
}

/** What LevelDB is to do. */
type Operation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer }
  | { readonly type: 'clear'; readonly partition: number };

/** Operations that are written together, and those who wait for them. */
class Batch {
  readonly operations: Operation[] = [];
  sizeBytes = 0;
  /** Whether somebody waits for it. */
  isAwaited = false;
  settle: (failed: Failure | undefined) => void = () => {};
  readonly written = new Promise<Failure | undefined>((resolve) => (this.settle = resolve));
}

/**
 * What changes while a batch is being written is the next batch, so that one sync of the disk serves
 * all who wait. Where the disk fails, changes are refused and those that were made are kept, until it
 * takes them.
 */
/** What waits to be written. */
export interface JournalStats {
  /** Whether the disk fails, so that nothing can be changed. */
  readonly isFailed: boolean;
  /** Values that wait for the batch before theirs. */
  readonly unwrittenBytes: number;
  /** Batches that were written since the start; with -fsync always each was a sync. */
  readonly batches: number;
}

export class Journal implements Sink {
  refusal: Failure | undefined;
  readonly #options: JournalOptions;
  #next = new Batch();
  /** Whether a batch is being written, or will be when this turn is over. */
  #isBusy = false;
  #isReading = true;
  #batches = 0;
  #isUnsynced = false;
  #isClosed = false;
  #cancel: Cancel = () => {};
  /** Calls off the beginning of the next batch; undefined while none is set. */
  #cancelStart: Cancel | undefined;
  /** What runs in the background. */
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: JournalOptions) {
    this.#options = options;
    if (options.fsync === 'interval') {
      this.#cancel = options.timers.every(options.fsyncIntervalMs, () => this.#run(this.#sync()));
    }
  }

  /** The records have been read back: what arrives from now on is written. */
  begin(): void {
    this.#isReading = false;
  }

  stats(): JournalStats {
    const { sizeBytes: unwrittenBytes } = this.#next;
    return { isFailed: this.refusal !== undefined, unwrittenBytes, batches: this.#batches };
  }

  apply(change: Change): void | Promise<Failure | undefined> {
    if (change.kind === 'put' && this.#isReading) return undefined;
    const batch = this.#next;
    const operation = operationOf(change);
    batch.operations.push(operation);
    batch.sizeBytes += operation.type === 'put' ? operation.value.length : 0;
    const isSynced = this.#options.fsync === 'always' && isAsked(change);
    if (this.refusal !== undefined) return isSynced ? Promise.resolve(this.refusal) : undefined;
    const isAwaited = isSynced || batch.sizeBytes > JOURNAL_UNWRITTEN_BYTES_MAX;
    if (isAwaited) batch.isAwaited = true;
    this.#start(isAwaited);
    return isAwaited ? batch.written : undefined;
  }

  /** Resolves when all changes until now are written; with a failure if they could not be. */
  async flush(): Promise<Failure | undefined> {
    if (this.refusal !== undefined) return this.refusal;
    if (this.#next.operations.length === 0 && !this.#isBusy) return undefined;
    this.#next.isAwaited = true;
    this.#start(true);
    return this.#next.written;
  }

  /** Writes what is left, syncs it, and closes the directory. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.flush();
    this.#isClosed = true;
    this.#cancel();
    this.#cancelStart?.();
    await this.#work;
    if (this.#options.fsync !== 'none') await this.#sync();
    await this.#options.directory.close();
  }

  /**
   * Begins to write what there is, unless something is being written: at the end of this turn where
   * somebody waits, else a little later, because large batches cost less.
   */
  #start(isAwaited: boolean): void {
    if (this.#isBusy) return;
    const { timers } = this.#options;
    if (!isAwaited) {
      this.#cancelStart ??= timers.after(JOURNAL_DELAY_MS, () => this.#start(true));
      return;
    }
    this.#cancelStart?.();
    this.#cancelStart = undefined;
    this.#isBusy = true;
    timers.soon(() => this.#run(this.#writeAll()));
  }

  /** Notes what runs in the background, so that it can be waited for. */
  #run(work: Promise<void>): void {
    this.#work = Promise.all([this.#work, work]);
  }

  async #writeAll(): Promise<void> {
    do {
      const batch = this.#next;
      this.#next = new Batch();
      const failed = await this.#write(batch.operations);
      if (failed !== undefined) return this.#fail(batch, failed);
      batch.settle(undefined);
    } while (this.#next.isAwaited && this.#next.operations.length > 0);
    this.#isBusy = false;
    if (this.#next.operations.length > 0) return this.#start(false);
    // Whoever flushes while the last batch is written waits for the next one.
    this.#next.settle(undefined);
    this.#next = new Batch();
  }

  /** Writes operations in their order; gives the failure of the disk. */
  async #write(operations: readonly Operation[]): Promise<Failure | undefined> {
    const sync = this.#options.fsync === 'always';
    try {
      await writeAll(this.#options.directory.records, operations, sync);
      this.#isUnsynced = true;
      this.#batches++;
      return undefined;
    } catch (error) {
      return this.failureOf(error);
    }
  }

  /** Keeps what was not written for later, refuses changes until then, and tries again. */
  #fail(batch: Batch, failed: Failure): void {
    const kept = this.#next;
    this.#next = new Batch();
    for (const operation of [...batch.operations, ...kept.operations]) {
      this.#next.operations.push(operation);
    }
    this.#refuse(failed);
    batch.settle(failed);
    kept.settle(failed);
    this.#retryLater();
  }

  #refuse(failed: Failure | undefined): void {
    this.refusal = failed;
    this.#options.onState(failed);
  }

  #retryLater(): void {
    if (this.#isClosed) return;
    this.#options.timers.after(DISK_RETRY_MS, () => this.#run(this.#retry()));
  }

  /**
   * Opens LevelDB anew, because one that could not write goes on to fail or leaves half a record in
   * its log, and writes what was kept.
   */
  async #retry(): Promise<void> {
    if (this.#isClosed) return;
    const batch = this.#next;
    this.#next = new Batch();
    let failed: Failure | undefined;
    try {
      await this.#options.directory.reopen();
      failed = await this.#write(batch.operations);
    } catch (error) {
      failed = await this.failureOf(error);
    }
    if (failed !== undefined) return this.#fail(batch, failed);
    this.#refuse(undefined);
    this.#isBusy = false;
    if (this.#next.operations.length > 0) this.#start(true);
  }

  /** Makes all that was written safe. LevelDB leaves its last log but one to the system: this does not. */
  async #sync(): Promise<void> {
    if (!this.#isUnsynced) return;
    this.#isUnsynced = false;
    const { syncFile: sync = syncFile } = this.#options;
    try {
      for (const name of await logFiles(this.#options.directory.recordsPath)) {
        await sync(name);
      }
    } catch (error) {
      this.#isUnsynced = true;
      if (this.refusal !== undefined || this.#isClosed) return;
      this.#refuse(await this.failureOf(error));
      this.#isBusy = true;
      this.#retryLater();
    }
  }

  /** What an error says of the disk. */
  async failureOf(error: unknown): Promise<Failure> {
    const { path } = this.#options.directory;
    const reason = error instanceof Error ? error.message : String(error);
    if (await isFull(path)) return failure('DISK_FULL', `the disk of ${path} is full`);
    return failure('DISK_FAILED', `${path} cannot be written: ${reason}`);
  }
}

async function isFull(path: string): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize < DISK_ROOM_BYTES_MIN;
  } catch {
    return false;
  }
}

/** Whether a client asked for a change, and so may wait for it. */
function isAsked(change: Change): boolean {
  return change.kind === 'put' || (change.kind === 'remove' && change.cause === 'delete');
}

function operationOf(change: Change): Operation {
  switch (change.kind) {
    case 'put': {
      const key = entryName(change.partition, change.record.key);
      return { type: 'put', key, value: entryOf(key, change.record) };
    }
    case 'remove':
      return { type: 'del', key: entryName(change.partition, change.key) };
    case 'clear':
      return { type: 'clear', partition: change.partition };
  }
}

/**
 * Writes operations in their order, so many at a time that none keeps others from being served. Each is
 * handed over alone: an array of them costs LevelDB's binding twice as much.
 */
async function writeAll(
  records: Records,
  operations: readonly Operation[],
  sync: boolean,
): Promise<void> {
  let batch = records.batch();
  for (const operation of operations) {
    if (operation.type === 'clear' || batch.length === JOURNAL_PIECE_OPERATIONS) {
      await batch.write({ sync });
      batch = records.batch();
    }
    if (operation.type === 'put') batch.put(operation.key, operation.value);
    else if (operation.type === 'del') batch.del(operation.key);
    else await records.clear(namesOf(operation.partition));
  }
  await batch.write({ sync });
}

/** Syncs a file, unless it is gone: then LevelDB has written a table of it, and synced that. */
async function syncFile(name: string): Promise<void> {
  const file = await open(name, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  try {
    await file?.datasync();
  } finally {
    await file?.close();
  }
}
