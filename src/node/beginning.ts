/** What a node begins with: the records on its disk, or those of a snapshot. */

import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';

import { systemClock } from '../base/clock.ts';
import type { Topology } from '../cluster/topology.ts';
import type { Engine } from '../record/engine.ts';
import type { Store } from '../store/store.ts';
import type { Config } from './config.ts';
import type { Disk } from './disk.ts';
import { wasOthers, type KeptTopology } from './kept.ts';
import type { Log } from './log.ts';
import { giveAway, restoreHere, restoreThrough, type Restored, type Way } from './restore.ts';

export interface BeginningParts {
  readonly config: Config;
  readonly disk: Disk | undefined;
  readonly store: Store;
  /** What the node remembers of its cluster. */
  readonly kept: KeptTopology | undefined;
  /** The address of the node. */
  readonly self: string;
  readonly engine: () => Engine;
  readonly log: Log;
}

export class Beginning {
  readonly #parts: BeginningParts;
  /** The snapshot that is to be restored. */
  #file: string | undefined;

  constructor(parts: BeginningParts) {
    this.#parts = parts;
  }

  /** Before the node is a member: what is its own for certain. */
  async prepare(): Promise<void> {
    const { config, disk, store } = this.#parts;
    this.#file = this.#choose(await this.#recover());
    if (this.#file === undefined) return;
    await disk?.noteRestoring(this.#file);
    if (config.join !== undefined) return;
    await this.#finish(await restoreHere(this.#file, store, config['num-partitions'], systemClock));
  }

  /** When the node is a member: what may belong to others. */
  async complete(): Promise<void> {
    if (this.#file === undefined) return;
    await this.#finish(await restoreThrough(this.#file, this.#way));
  }

  /** When a cluster forms: gives away what others own now, but for what was theirs before. */
  async giveOthers(topology: Topology): Promise<void> {
    const { self, store, config, log } = this.#parts;
    const isStale = wasOthers(this.#parts.kept, self, config['num-partitions']);
    let records = 0;
    for (let partition = 0; partition < topology.partitions; partition++) {
      if (store.transfer.count(partition) === 0 || isStale(partition)) continue;
      if (topology.members[topology.ownerOf(partition)] === self) continue;
      records += await giveAway(store, partition, this.#way);
    }
    if (records > 0) log.info({ records }, 'records are given to who owns them now');
  }

  get #way(): Way {
    return { engine: this.#parts.engine(), clock: systemClock, wait };
  }

  /** Reads the records on disk back; those of a node that has left its cluster are dropped. */
  async #recover(): Promise<number> {
    const { disk, store, kept, config } = this.#parts;
    const records = (await disk?.recover(store)) ?? 0;
    if (kept?.hasLeft !== true) return records;
    for (let partition = 0; partition < config['num-partitions']; partition++) {
      if (store.transfer.count(partition) === 0) continue;
      for (const _ of store.transfer.drop(partition)) await nextTurn();
    }
    return 0;
  }

  /** The snapshot to restore, if any, where so many records are there already. */
  #choose(records: number): string | undefined {
    const { config, disk, log } = this.#parts;
    const interrupted = disk?.identity.restoring;
    if (config.restore === undefined && interrupted !== undefined) {
      throw new Error(`${interrupted} was not restored to its end: start with -restore once more`);
    }
    if (config.restore === undefined || records === 0 || interrupted !== undefined) {
      return config.restore;
    }
    log.warn({ file: config.restore, records }, 'nothing is restored: there are records already');
    return undefined;
  }

  async #finish(restored: Restored): Promise<void> {
    const { disk, log } = this.#parts;
    log.info({ file: this.#file, ...restored }, 'a snapshot is restored');
    this.#file = undefined;
    await disk?.saved();
    await disk?.noteRestoring(undefined);
  }
}

function wait(seconds: number): Promise<void> {
  return delay(seconds * 1000);
}
