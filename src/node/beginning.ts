/** What a node begins with: the records on its disk, or those of a snapshot. */

import { setTimeout as delay } from 'node:timers/promises';

import { systemClock } from '../base/clock.ts';
import type { Engine } from '../record/engine.ts';
import type { Store } from '../store/store.ts';
import type { Config } from './config.ts';
import type { Disk } from './disk.ts';
import type { Log } from './log.ts';
import { restoreHere, restoreThrough, type Restored } from './restore.ts';

export interface BeginningParts {
  readonly config: Config;
  readonly disk: Disk | undefined;
  readonly store: Store;
  readonly engine: Engine;
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
    this.#file = this.#choose((await disk?.recover(store)) ?? 0);
    if (this.#file === undefined) return;
    await disk?.noteRestoring(this.#file);
    if (config.join !== undefined) return;
    await this.#finish(await restoreHere(this.#file, store, config['num-partitions'], systemClock));
  }

  /** When the node is a member: what may belong to others. */
  async complete(): Promise<void> {
    if (this.#file === undefined) return;
    const { engine } = this.#parts;
    await this.#finish(await restoreThrough(this.#file, engine, systemClock, wait));
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
