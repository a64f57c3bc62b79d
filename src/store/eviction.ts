/** Eviction: which record goes when memory is full. */

import type { ExpiryWheel } from './expiry-wheel.ts';
import type { KeyTable } from './keys/key-table.ts';
import type { Place } from '../record/lister.ts';
import type { BlockAddress } from './memory/arena.ts';
import type { Records } from './memory/records.ts';
import type { RecordMap } from './record-map.ts';

/**
 * `none` refuses to store; `lru` evicts the least recently used record of a sample; `ttl` evicts the
 * one that expires soonest, of a sample and the wheel's first, and refuses where none expires.
 */
export const EVICTIONS = ['none', 'lru', 'ttl'] as const;

export type Eviction = (typeof EVICTIONS)[number];

/** Records that are compared to find one to evict. */
const SAMPLE_RECORDS = 16;

/** Records that are passed over, because they are to stay, before the search for one is given up. */
const PASSED_RECORDS_MAX = 4096;

/** Chooses victims. */
export class Evictor {
  readonly #eviction: Eviction;
  readonly #records: Records;
  readonly #table: KeyTable;
  readonly #wheel: ExpiryWheel;
  readonly #random: () => number;
  /** Partitions whose records stay. */
  readonly #spared = new Set<number>();

  /** `random` gives numbers from 0 to 1, 1 excluded. */
  constructor(
    eviction: Eviction,
    { records, table, wheel }: Pick<RecordMap, 'records' | 'table' | 'wheel'>,
    random: () => number,
  ) {
    this.#eviction = eviction;
    this.#records = records;
    this.#table = table;
    this.#wheel = wheel;
    this.#random = random;
  }

  /** Passes over the records of a partition from now on, or no longer. */
  spare(partition: number, isSpared: boolean): void {
    if (isSpared) this.#spared.add(partition);
    else this.#spared.delete(partition);
  }

  /** The record to evict, not `spared`; 0 if there is none. */
  choose(spared: BlockAddress): BlockAddress {
    switch (this.#eviction) {
      case 'none':
        return 0;
      case 'lru':
        return this.#lowest(spared, (address) => this.#records.lastUse(address));
      case 'ttl':
        return this.#soonest(spared);
    }
  }

  /** The wheel's first record, unless one of a sample is sooner: far ahead its slots span hours. */
  #soonest(spared: BlockAddress): BlockAddress {
    const first = this.#wheel.soonest(spared);
    if (first === 0) return 0;
    const sampled = this.#lowest(spared, (address) => this.#records.deadline(address));
    if (this.#isSpared(first)) return sampled;
    const isSooner =
      sampled !== 0 && this.#records.deadline(sampled) < this.#records.deadline(first);
    return isSooner ? sampled : first;
  }

  /** The record of a sample for which `measure` is lowest, and not infinite; 0 if there is none. */
  #lowest(spared: BlockAddress, measure: (address: BlockAddress) => number): BlockAddress {
    let found = 0;
    let lowest = Infinity;
    let seen = 0;
    let passed = 0;
    for (const address of this.#table.addressesFrom(this.#anywhere())) {
      if (address === spared || this.#isSpared(address)) {
        if (++passed === PASSED_RECORDS_MAX) break;
        continue;
      }
      const measured = measure(address);
      if (measured < lowest) {
        lowest = measured;
        found = address;
      }
      if (++seen === SAMPLE_RECORDS) break;
    }
    return found;
  }

  #isSpared(address: BlockAddress): boolean {
    return this.#spared.size > 0 && this.#spared.has(this.#records.partition(address));
  }

  #anywhere(): Place {
    const partition = Math.floor(this.#random() * this.#table.partitions);
    return { partition, hash: Math.floor(this.#random() * 2 ** 32) };
  }
}
