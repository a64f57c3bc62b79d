/** The disk of a node: reads the records of its data directory back, and has changes written there. */

import { randomBytes, randomUUID } from 'node:crypto';

import { systemClock } from '../base/clock.ts';
import { failure, type Failure } from '../base/errors.ts';
import { systemTimers } from '../base/timers.ts';
import { DataDirectory, type Identity } from '../disk/directory.ts';
import { entryName } from '../disk/format.ts';
import { Journal, type JournalStats } from '../disk/journal.ts';
import { readRecords } from '../disk/recovery.ts';
import { writeSnapshot, type SnapshotFacts } from '../disk/snapshot.ts';
import { isLive } from '../record/expiry.ts';
import type { Store } from '../store/store.ts';
import type { Config } from './config.ts';
import { readKept, type KeptTopology } from './kept.ts';
import type { Log } from './log.ts';

/** Time between two lines of the log that say how far reading back is. */
const PROGRESS_MS = 5000;

/** What a disk goes by of a node's settings. */
type DiskConfig = Pick<Config, 'data-dir' | 'num-partitions' | 'fsync' | 'fsync-interval'>;

export class Disk {
  readonly #directory: DataDirectory;
  readonly #journal: Journal;
  readonly #log: Log;
  #isReadBack = false;
  #isWritingSnapshot = false;

  private constructor(directory: DataDirectory, journal: Journal, log: Log) {
    this.#directory = directory;
    this.#journal = journal;
    this.#log = log;
  }

  /**
   * Opens the directory of `-data-dir`; undefined without that flag.
   *
   * @throws Error that says in a line why the node must not start with it.
   */
  static async open(config: DiskConfig, log: Log): Promise<Disk | undefined> {
    const path = config['data-dir'];
    if (path === undefined) return undefined;
    const directory = await DataDirectory.open(path, {
      partitions: config['num-partitions'],
      id: randomUUID(),
      hashKey: [randomBytes(4).readUInt32LE(), randomBytes(4).readUInt32LE()],
    });
    const journal = new Journal({
      directory,
      fsync: config.fsync,
      fsyncIntervalMs: config['fsync-interval'],
      timers: systemTimers,
      onState: (refusal) => {
        if (refusal === undefined) log.info({ path }, 'the disk works again');
        else log.error({ path, reason: refusal.detail }, 'nothing can be changed: the disk fails');
      },
    });
    return new Disk(directory, journal, log);
  }

  stats(): JournalStats {
    return this.#journal.stats();
  }

  /** What the records take on disk, the journal and what is to be compacted included. */
  bytes(): Promise<number> {
    return this.#directory.bytes();
  }

  get identity(): Identity {
    return this.#directory.identity;
  }

  /**
   * Reads all records back into a store, and has its changes written from then on.
   *
   * @returns how many there are.
   * @throws Error that says in a line what is damaged, or that there is no memory for them.
   */
  async recover(store: Store): Promise<number> {
    const { path } = this.#directory;
    const start = performance.now();
    let [records, expired, told] = [0, 0, start];
    // From here on, because what has no room while it is read may be evicted.
    store.attach(this.#journal);
    for await (const piece of readRecords(this.#directory)) {
      const gone: Buffer[] = [];
      const now = systemClock();
      for (const { partition, record } of piece) {
        const { key, meta, value, deadline } = record;
        if (!isLive(deadline, now)) {
          gone.push(entryName(partition, key));
          continue;
        }
        const taken = store.transfer.arrive(
          { key, meta, value, leftUs: deadline - now },
          partition,
        );
        const failed = taken instanceof Promise ? await taken : taken;
        if (failed !== undefined) {
          throw new Error(`${path} has more records than -max-memory has room for`);
        }
      }
      records += piece.length - gone.length;
      expired += gone.length;
      await this.#directory.records.batch(gone.map((key) => ({ type: 'del', key })));
      if (performance.now() - told < PROGRESS_MS) continue;
      told = performance.now();
      this.#log.info({ path, records }, 'reading records back');
    }
    this.#journal.begin();
    this.#isReadBack = true;
    const seconds = Number(((performance.now() - start) / 1000).toFixed(3));
    this.#log.info({ path, records, expired, seconds }, 'records are read back');
    return records;
  }

  /** Remembers the topology that the node goes by now. */
  keepTopology(topology: KeptTopology): void {
    this.#directory.keepTopology(topology).catch((error: Error) => {
      this.#log.error({ reason: error.message }, 'the topology is not remembered');
    });
  }

  /** Remembers that the node has left its cluster. */
  keepLeaving(): void {
    const last = readKept(this.identity.topology);
    if (last !== undefined) this.keepTopology({ ...last, hasLeft: true });
  }

  /** Notes that records are being restored from a snapshot, or with undefined that they all are. */
  noteRestoring(file: string | undefined): Promise<void> {
    return this.#directory.noteRestoring(file);
  }

  /** Resolves when all changes until now are written. */
  async saved(): Promise<void> {
    const failed = await this.#journal.flush();
    if (failed !== undefined) throw new Error(failed.detail);
  }

  /** Writes all records as they are now into a file beside them, of which so many are kept. */
  async snapshot(kept: number): Promise<SnapshotFacts | Failure> {
    if (!this.#isReadBack) return failure('NOT_READY', 'the records are being read back');
    if (this.#isWritingSnapshot) return failure('OVERLOADED', 'a snapshot is being written');
    this.#isWritingSnapshot = true;
    try {
      const failed = await this.#journal.flush();
      if (failed !== undefined) return failed;
      const facts = await writeSnapshot(this.#directory, new Date(systemClock() / 1000), kept);
      this.#log.info(facts, 'a snapshot is written');
      return facts;
    } catch (error) {
      return this.#journal.failureOf(error);
    } finally {
      this.#isWritingSnapshot = false;
    }
  }

  /** Writes what is left, and closes the directory. */
  close(): Promise<void> {
    return this.#journal.close();
  }
}
