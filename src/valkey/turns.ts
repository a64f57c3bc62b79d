/** Work on one key, one piece after the other. */

import type { Key } from '../base/key.ts';

/**
 * Changes that are computed here and stored by compare-and-set would make each other start again; so those
 * of one node on one key take turns, and only other nodes can get in between.
 */
export class Turns {
  readonly #last = new Map<Key, Promise<unknown>>();

  /** Does `work` when what came before for the key has ended, however it ended. */
  async take<T>(key: Key, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const turn = before === undefined ? work() : before.then(work, work);
    this.#last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    }
  }
}
