/** Eviction: which record goes when memory is full. */

import type { BlockAddress } from './arena.ts';
import type { ExpiryWheel } from './expiry-wheel.ts';
import type { KeyIndex, Place } from './key-index.ts';
import type { Records } from './records.ts';

/**
 * `none` refuses to store; `lru` evicts the least recently used record of a sample; `ttl` evicts the
 * record that expires soonest, and refuses where none expires.
 */
export const EVICTIONS = ['none', 'lru', 'ttl'] as const;

export type Eviction = (typeof EVICTIONS)[number];

/** Records that are compared to find one that was not used for long. */
const SAMPLE_RECORDS = 16;

/** Chooses victims. */
export class Evictor {
  readonly #eviction: Eviction;
  readonly #records: Records;
  readonly #index: KeyIndex;
  readonly #wheel: ExpiryWheel;
  readonly #random: () => number;

  /** `random` gives numbers from 0 to 1, 1 excluded. */
  constructor(
    eviction: Eviction,
    records: Records,
    index: KeyIndex,
    wheel: ExpiryWheel,
    random: () => number,
  ) {
    this.#eviction = eviction;
    this.#records = records;
    this.#index = index;
    this.#wheel = wheel;
    this.#random = random;
  }

  /** The record to evict, not `spared`; 0 if there is none. */
  choose(spared: BlockAddress): BlockAddress {
    switch (this.#eviction) {
      case 'none':
        return 0;
      case 'lru':
        return this.#leastRecentlyUsed(spared);
      case 'ttl':
        return this.#wheel.soonest(spared);
    }
  }

  #leastRecentlyUsed(spared: BlockAddress): BlockAddress {
    let found = 0;
    let oldest = Infinity;
    let seen = 0;
    for (const address of this.#index.addressesFrom(this.#anywhere())) {
      if (address === spared) continue;
      const lastUse = this.#records.lastUse(address);
      if (lastUse < oldest) {
        oldest = lastUse;
        found = address;
      }
      if (++seen === SAMPLE_RECORDS) break;
    }
    return found;
  }

  #anywhere(): Place {
    const partition = Math.floor(this.#random() * this.#index.partitions);
    return { partition, hash: Math.floor(this.#random() * 2 ** 32) };
  }
}
