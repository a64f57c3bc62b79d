/** The bound on a store's memory: makes room for what is written, by eviction. */

import { VALUE_BYTES_MAX } from '../base/limits.ts';
import type { PutCause } from '../record/change.ts';
import { Evictor, type Eviction } from './eviction.ts';
import type { SoughtKey } from './keys/packed-key.ts';
import { WORD_BYTES, type BlockAddress } from './memory/arena.ts';
import { recordWords, type NewRecord } from './memory/records.ts';
import type { RecordMap } from './record-map.ts';

/** Records that one request may evict; the rest of a large value's room is made afterwards. */
const EVICTIONS_PER_REQUEST = 64;

export interface LimitOptions {
  /** Bound of records and key table together; 0 for none. */
  readonly maxMemoryBytes: number;
  readonly eviction: Eviction;
  /** Gives numbers from 0 to 1, 1 excluded. */
  readonly random: () => number;
}

/** Writes records as long as there is memory for them. */
export class MemoryLimit {
  readonly #map: RecordMap;
  readonly #maxBytes: number;
  readonly #evicts: boolean;
  readonly #evictor: Evictor;
  /** Claimed for records that are about to arrive. */
  #claimedBytes = 0;
  #evicted = 0;

  constructor(map: RecordMap, { maxMemoryBytes, eviction, random }: LimitOptions) {
    this.#map = map;
    this.#maxBytes = maxMemoryBytes;
    this.#evicts = eviction !== 'none';
    this.#evictor = new Evictor(eviction, map, random);
  }

  /** Records evicted since the start. */
  get evicted(): number {
    return this.#evicted;
  }

  /** What counts for the bound: live records and the key table. */
  get usedBytes(): number {
    return this.#map.liveBytes + this.#map.table.sizeBytes;
  }

  /** Bytes that may be claimed; `Infinity` where there is no bound. What can be evicted is in nobody's way. */
  get claimableBytes(): number {
    if (this.#maxBytes === 0) return Infinity;
    const used = this.#evicts ? 0 : this.usedBytes;
    return Math.max(0, this.#maxBytes - used - this.#claimedBytes);
  }

  /**
   * Claims so many bytes for records that are about to arrive, or, with less than none, gives them free.
   * Where nothing is evicted clients cannot store what is claimed.
   */
  claim(bytes: number): void {
    this.#claimedBytes += bytes;
  }

  /** Keeps the records of a partition from being evicted, until it is called with false. */
  spare(partition: number, isSpared: boolean): void {
    this.#evictor.spare(partition, isSpared);
  }

  /**
   * Writes a record, over the one at `address` or anew, and evicts others where it has no room.
   *
   * @returns whether there was memory for it; if not, it is as it was.
   */
  write(key: SoughtKey, address: BlockAddress, record: NewRecord, cause: PutCause): boolean {
    const claimed = cause === 'store' && !this.#evicts ? this.#claimedBytes : 0;
    if (!this.#makeRoom(key, record, address, claimed)) return false;
    for (let evictions = 0; !this.#map.write(key, address, record, cause); evictions++) {
      if (evictions === EVICTIONS_PER_REQUEST || !this.#evictOne(address)) return false;
    }
    return true;
  }

  /** Evicts in small steps what is over the bound. */
  *evictExcess(): Generator<void> {
    while (this.#overBytes(0) > 0 && this.#evictOne(0)) yield;
  }

  /** Evicts until a new value has room; false if it gets none. */
  #makeRoom(
    { packed }: SoughtKey,
    { value, meta }: NewRecord,
    address: BlockAddress,
    claimed: number,
  ): boolean {
    if (this.#maxBytes === 0) return true;
    const size = recordWords(packed.length, value.end - value.start, meta.ttlNs !== 0n);
    if (size * WORD_BYTES > this.#maxBytes) return false;
    const before = address === 0 ? 0 : this.#map.records.sizeWords(address);
    if (size <= before) return true;
    const wanted = (size - before) * WORD_BYTES + claimed;
    for (let evictions = 0; this.#overBytes(wanted) > 0; evictions++) {
      if (evictions === EVICTIONS_PER_REQUEST) return this.#overBytes(wanted) <= VALUE_BYTES_MAX;
      if (!this.#evictOne(address)) return false;
    }
    return true;
  }

  /** By how much the bound on memory would be passed with `growthBytes` more. */
  #overBytes(growthBytes: number): number {
    return this.#maxBytes === 0 ? 0 : this.usedBytes + growthBytes - this.#maxBytes;
  }

  #evictOne(spared: BlockAddress): boolean {
    const victim = this.#evictor.choose(spared);
    if (victim === 0) return false;
    this.#map.drop(victim, 'evict');
    this.#evicted++;
    return true;
  }
}
