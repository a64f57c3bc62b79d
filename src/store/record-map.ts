/** The records of a store by key: memory, key table and expiry wheel, which always agree. */

import type { Key } from '../base/key.ts';
import type { Range } from '../base/json/range.ts';
import type { PutCause, RecordState, RemovalCause } from '../record/change.ts';
import { checkRecords } from './check.ts';
import type { Changes } from './changes.ts';
import { Compactor } from './compactor.ts';
import { ExpiryWheel } from './expiry-wheel.ts';
import { KeyHash } from './keys/hash.ts';
import { KeyTable } from './keys/key-table.ts';
import type { Place } from '../record/lister.ts';
import { PackedKey, type SoughtKey } from './keys/packed-key.ts';
import { Arena, WORD_BYTES, type BlockAddress } from './memory/arena.ts';
import type { MemorySource } from './memory/chunk.ts';
import { Records, type NewRecord } from './memory/records.ts';

/** Words of compaction after which a request moves no further block: 128 KiB. */
const COMPACTION_WORDS_PER_REQUEST = 16_384;

/** What a map is made of. */
export interface RecordMapOptions {
  readonly partitions: number;
  /** When the expiry wheel starts to turn, in microseconds. */
  readonly now: number;
  /** Gives numbers from 0 to 1, 1 excluded. */
  readonly random: () => number;
  /** The key of the hash of keys, two numbers of 32 bits; drawn at random if it is not given. */
  readonly hashKey?: readonly [number, number] | undefined;
  readonly memory: MemorySource;
  /** Is told of everything that is written or removed. */
  readonly changes: Changes;
  /** Fewer segments than addresses reach. */
  readonly segmentsMax?: number | undefined;
}

/** Finds, writes and removes records, and wins back the memory of those that are gone. */
export class RecordMap {
  readonly records: Records;
  readonly table: KeyTable;
  readonly wheel: ExpiryWheel;
  readonly #arena: Arena;
  readonly #hash: KeyHash;
  readonly #compactor: Compactor;
  readonly #changes: Changes;
  /** The records of each partition, in words. */
  readonly #partitionWords: Float64Array;
  /** The key of a record of which only the address is known. */
  readonly #keyOfRecord = new PackedKey();
  /** Words that were freed and not paid for. */
  #freedWords = 0;

  constructor({
    partitions,
    now,
    random,
    memory,
    changes,
    segmentsMax,
    hashKey,
  }: RecordMapOptions) {
    this.#changes = changes;
    this.#partitionWords = new Float64Array(partitions);
    this.#arena = new Arena(memory, segmentsMax);
    this.records = new Records(this.#arena);
    const [k0, k1] = hashKey ?? [random() * 2 ** 32, random() * 2 ** 32];
    this.#hash = new KeyHash(k0, k1);
    this.table = new KeyTable(partitions, this.records, memory);
    this.wheel = new ExpiryWheel(this.records, now);
    this.#compactor = new Compactor(this.#arena, this.records, (from, to) => this.#moved(from, to));
  }

  get liveBytes(): number {
    return this.#arena.liveBytes;
  }

  /** What compaction has moved since the start. */
  get movedBytes(): number {
    return this.#compactor.movedWords * WORD_BYTES;
  }

  get garbageBytes(): number {
    return this.#arena.garbageBytes;
  }

  /** Gets a key ready to be looked for, in `packed`. */
  seek(key: Key, partition: number, packed: PackedKey): SoughtKey {
    return { partition, hash: this.#hash.hash(packed.pack(key)), packed };
  }

  /** As {@link seek}, for the key in a range of `text`. */
  seekRange(
    text: DataView,
    { start, end }: Range,
    partition: number,
    packed: PackedKey,
  ): SoughtKey {
    return { partition, hash: this.#hash.hash(packed.packBytes(text, start, end)), packed };
  }

  /** The address of a key's record, live or expired; 0 if there is none. */
  find(key: SoughtKey): BlockAddress {
    return this.table.find(key);
  }

  /** Bytes of the records of one partition. */
  partitionBytes(partition: number): number {
    return this.#partitionWords[partition]! * WORD_BYTES;
  }

  /** A record as it is, to be read before anything else happens. */
  stateOf(address: BlockAddress): RecordState {
    return {
      key: this.records.key(address),
      meta: this.records.meta(address),
      value: this.records.value(address),
      deadline: this.records.deadline(address),
    };
  }

  /**
   * Writes a record, over the one at `address` or anew.
   *
   * @returns whether there was memory for it; if not, all is as it was.
   */
  write(key: SoughtKey, address: BlockAddress, record: NewRecord, cause: PutCause): boolean {
    const isWaiting = address !== 0 && this.records.expires(address);
    if (isWaiting) this.wheel.remove(address);
    let written = address;
    if (address === 0 || !this.records.overwrite(address, record)) {
      written = this.#create(key, record);
      if (written === 0) {
        if (isWaiting) this.wheel.add(address);
        return false;
      }
      if (address === 0) this.table.add(key, written);
      else {
        this.table.replace(key, address, written);
        this.#free(key.partition, address);
      }
    }
    if (record.meta.ttlNs !== 0n) this.wheel.add(written);
    if (this.#changes.isFollowed) {
      this.#changes.put(cause, key.partition, { ...record, key: key.packed.text });
    }
    return true;
  }

  /** Removes the record at an address; without a cause nobody is told. */
  remove(place: Place, address: BlockAddress, cause: RemovalCause | undefined): void {
    if (cause !== undefined && this.#changes.isFollowed) {
      this.#changes.removed(cause, place.partition, this.records.key(address));
    }
    if (this.records.expires(address)) this.wheel.remove(address);
    this.table.remove(place, address);
    this.#free(place.partition, address);
  }

  /** Removes a record of which only the address is known. */
  drop(address: BlockAddress, cause: RemovalCause): void {
    this.remove(this.#placeOf(address), address, cause);
  }

  /** Pays for the garbage that a write made, when nobody reads the record any more. */
  pay(): void {
    this.#compactor.pay(this.#freedWords, COMPACTION_WORDS_PER_REQUEST);
    this.#freedWords = 0;
  }

  /** Wins garbage back in small steps, until there is no more of it than there should be. */
  *compact(): Generator<void> {
    while (this.#compactor.isBehind && this.#compactor.step() > 0) yield;
    this.#freedWords = 0;
  }

  /**
   * Verifies every invariant of the memory behind this map; `partitionOf` tells where a key belongs.
   *
   * @throws Error that says which does not hold.
   */
  check(partitionOf: (key: Key) => number): void {
    const packed = new PackedKey();
    const seek = (key: Key): SoughtKey => this.seek(key, partitionOf(key), packed);
    const { records, table, wheel } = this;
    const wordsOf = (partition: number): number => this.#partitionWords[partition]!;
    checkRecords({ arena: this.#arena, records, table, wheel, wordsOf, seek });
  }

  #create(key: SoughtKey, record: NewRecord): BlockAddress {
    const address = this.table.reserve() ? this.records.create(key, record) : 0;
    if (address !== 0) this.#partitionWords[key.partition]! += this.records.sizeWords(address);
    return address;
  }

  #free(partition: number, address: BlockAddress): void {
    const words = this.records.sizeWords(address);
    this.#partitionWords[partition]! -= words;
    this.#freedWords += words;
    this.records.free(address);
  }

  /** Follows a record that compaction has copied. */
  #moved(from: BlockAddress, to: BlockAddress): void {
    this.table.replace(this.#placeOf(to), from, to);
    if (this.records.expires(to)) this.wheel.move(from, to);
  }

  #placeOf(address: BlockAddress): Place {
    const key = this.records.readKey(address, this.#keyOfRecord);
    return { partition: this.records.partition(address), hash: this.#hash.hash(key) };
  }
}
