/** What moves between nodes: the records of a partition, out of one store and into another. */

import type { Clock } from '../base/clock.ts';
import { failure, type Failure } from '../base/errors.ts';
import { keyText, type Key } from '../base/key.ts';
import type { Lease } from '../base/lease.ts';
import type { RecordState, RemovalCause } from '../record/change.ts';
import { isLive } from '../record/expiry.ts';
import type { Meta } from '../record/reply.ts';
import type { Changes, Outcome } from './changes.ts';
import { PackedKey } from './keys/packed-key.ts';
import { listKeys } from './listing.ts';
import type { MemoryLimit } from './memory-limit.ts';
import type { RecordMap } from './record-map.ts';

/** What a key table takes at most: a small table, and for each key a slot of one that is half full. */
const TABLE_BYTES_MIN = 64;
const SLOT_BYTES_MAX = 20;

/** A record on its way: its clock may be another one, so it says how long the record has left. */
export interface RecordCopy extends Omit<RecordState, 'deadline'> {
  /** Microseconds until it expires; `Infinity` for a record that stays. */
  readonly leftUs: number;
}

/** What a transfer works on. */
export interface TransferParts {
  readonly map: RecordMap;
  readonly limit: MemoryLimit;
  readonly changes: Changes;
  readonly clock: Clock;
  /** Hears the creation time of each record that arrives: none is given out again. */
  readonly onArrival: (createdAt: number) => void;
}

/** Copies records out of a store by partition, and takes in those of another. */
export class Transfer {
  readonly #parts: TransferParts;
  readonly #packed = new PackedKey();

  constructor(parts: TransferParts) {
    this.#parts = parts;
  }

  /** Records of a partition, expired ones that are not freed yet included. */
  count(partition: number): number {
    return this.#parts.map.table.count(partition);
  }

  /** The most memory that the records of a partition take in another store. */
  bytes(partition: number): number {
    const count = this.count(partition);
    if (count === 0) return 0;
    return this.#parts.map.partitionBytes(partition) + TABLE_BYTES_MIN + count * SLOT_BYTES_MAX;
  }

  /** Claims memory for records that are about to arrive. */
  claim(bytes: number): Claim | Failure {
    const { limit } = this.#parts;
    const freeBytes = limit.claimableBytes;
    if (bytes <= freeBytes) return new Claim(limit, bytes);
    const detail = `up to ${mib(bytes)} of records are to come, and ${mib(freeBytes)} of -max-memory are free for them`;
    return failure('MEMORY_FULL', detail);
  }

  /** Keeps the records of a partition from being evicted, until it is called with false. */
  spare(partition: number, isSpared: boolean): void {
    this.#parts.limit.spare(partition, isSpared);
  }

  /** The live keys of a partition in groups; a key that is there throughout comes exactly once. */
  keys(partition: number): Generator<readonly Key[]> {
    const { map, clock } = this.#parts;
    const range = { start: { partition, hash: 0 }, last: partition };
    return listKeys(map, clock, { prefix: '' as Key }, range);
  }

  /** A record as it is now, its value on loan; undefined if there is none. */
  copy(key: Key, partition: number): RecordCopy | undefined {
    const { map, clock } = this.#parts;
    const address = map.find(map.seek(key, partition, this.#packed));
    if (address === 0) return undefined;
    const now = clock();
    const { deadline, ...rest } = map.stateOf(address);
    return isLive(deadline, now) ? { ...rest, leftUs: deadline - now } : undefined;
  }

  /** Keeps the value that {@link copy} gives where it lies; undefined where it shares its memory. */
  lend(key: Key, partition: number): Lease | undefined {
    const { map } = this.#parts;
    const address = map.find(map.seek(key, partition, this.#packed));
    return address === 0 ? undefined : map.records.lease(address);
  }

  /**
   * Takes a record in with all its meta, unless a later version is there already.
   *
   * @returns why it could not be kept; a promise where a sink makes one.
   */
  arrive({ key, meta, value, leftUs }: RecordCopy, partition: number): Outcome | Promise<Outcome> {
    const { map, limit, changes, clock, onArrival } = this.#parts;
    const sought = map.seek(key, partition, this.#packed);
    const address = map.find(sought);
    onArrival(meta.createdAt);
    if (address !== 0 && isLater(map.records.meta(address), meta)) return undefined;
    const deadline = meta.ttlNs === 0n ? Infinity : clock() + leftUs;
    const isTaken = limit.write(sought, address, { meta, value, deadline }, 'arrive');
    map.pay();
    if (isTaken) return changes.outcome();
    changes.forget();
    return failure('MEMORY_FULL', `unable to take over ${keyText(key)} key, the memory is full`);
  }

  /** Removes a record as its owner did; where there is none nothing happens. */
  remove(key: Key, partition: number, cause: RemovalCause): Outcome | Promise<Outcome> {
    const { map, changes } = this.#parts;
    const sought = map.seek(key, partition, this.#packed);
    const address = map.find(sought);
    if (address === 0) return undefined;
    map.remove(sought, address, cause);
    map.pay();
    return changes.outcome();
  }

  /**
   * Removes all records of a partition, a table of its keys a step. It must be run to its end before
   * the partition is served, or taken in, again.
   */
  *drop(partition: number): Generator<void> {
    const { map, changes } = this.#parts;
    if (changes.isFollowed) changes.cleared(partition);
    changes.forget();
    for (const { entries } of map.table.tables({ partition, hash: 0 }, partition)) {
      for (const [hash, address] of entries) map.remove({ partition, hash }, address, undefined);
      yield;
    }
  }
}

/** Memory that is claimed for records until they have arrived. */
export class Claim {
  readonly #limit: MemoryLimit;
  #leftBytes: number;

  constructor(limit: MemoryLimit, bytes: number) {
    this.#limit = limit;
    this.#leftBytes = bytes;
    limit.claim(bytes);
  }

  /** Lets a record arrive, which takes its memory out of the claim. */
  spend<T>(arrive: () => T): T {
    const before = this.#limit.usedBytes;
    const outcome = arrive();
    this.#free(this.#limit.usedBytes - before);
    return outcome;
  }

  /** Gives free what is left of it. */
  release(): void {
    this.#free(this.#leftBytes);
  }

  #free(bytes: number): void {
    const freed = Math.min(Math.max(bytes, 0), this.#leftBytes);
    this.#leftBytes -= freed;
    this.#limit.claim(-freed);
  }
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** Whether one version of a record is later than another. */
function isLater(one: Meta, other: Meta): boolean {
  if (one.createdAt !== other.createdAt) return one.createdAt > other.createdAt;
  if (one.index !== other.index) return one.index > other.index;
  return one.updatedAt > other.updatedAt;
}
