/** Calls a store's maintenance again and again, in small pieces between the requests. */

import type { Lane, Scheduler } from '../base/scheduler.ts';
import type { Store } from '../store/store.ts';

/** How often there is a look whether anything is due. */
const IDLE_MS = 20;

/** A piece of work, and the pause after it while there is more: at most half a core goes into it. */
const PIECE_US = 2000;
const PAUSE_MS = 2;

/** Between two full checks of a store, where they are switched on. */
const CHECK_INTERVAL_MS = 1000;

export class Maintenance {
  readonly #store: Store;
  readonly #lane: Lane;
  readonly #check: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** `checks` switches on full checks of the store's memory, which hold up everything else. */
  constructor(store: Store, scheduler: Scheduler, checks: boolean) {
    this.#store = store;
    this.#lane = scheduler.enterUpkeep();
    if (checks) this.#check = setInterval(() => store.check(), CHECK_INTERVAL_MS);
    void this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#check);
    if (this.#check !== undefined) this.#store.check();
  }

  async #run(): Promise<void> {
    await this.#lane.share();
    if (this.#isStopped) return;
    const isBehind = this.#store.maintain(PIECE_US);
    this.#timer = setTimeout(() => void this.#run(), isBehind ? PAUSE_MS : IDLE_MS);
  }
}
