/** The records of a store by key: memory, key table and expiry wheel, which always agree. */

import type { Key } from '../base/key.ts';
import type { ByteRange, Meta } from '../record/reply.ts';
import { checkRecords } from './check.ts';
import { Compactor } from './compactor.ts';
import { ExpiryWheel } from './expiry-wheel.ts';
import { KeyHash } from './keys/hash.ts';
import { KeyTable } from './keys/key-table.ts';
import { PackedKey, type Place, type SoughtKey } from './keys/packed-key.ts';
import { Arena, type BlockAddress } from './memory/arena.ts';
import type { MemorySource } from './memory/chunk.ts';
import { Records } from './memory/records.ts';

/** Words of compaction after which a request moves no further block: 128 KiB. */
const COMPACTION_WORDS_PER_REQUEST = 16_384;

/** What a map is made of. */
export interface RecordMapOptions {
  readonly partitions: number;
  /** When the expiry wheel starts to turn, in microseconds. */
  readonly now: number;
  /** Gives numbers from 0 to 1, 1 excluded. */
  readonly random: () => number;
  readonly memory: MemorySource;
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
  /** The key of a record of which only the address is known. */
  readonly #keyOfRecord = new PackedKey();
  /** Words that were freed and not paid for. */
  #freedWords = 0;

  constructor({ partitions, now, random, memory, segmentsMax }: RecordMapOptions) {
    this.#arena = new Arena(memory, segmentsMax);
    this.records = new Records(this.#arena);
    this.#hash = new KeyHash(random() * 2 ** 32, random() * 2 ** 32);
    this.table = new KeyTable(partitions, this.records, memory);
    this.wheel = new ExpiryWheel(this.records, now);
    this.#compactor = new Compactor(this.#arena, this.records, (from, to) => this.#moved(from, to));
  }

  get liveBytes(): number {
    return this.#arena.liveBytes;
  }

  get garbageBytes(): number {
    return this.#arena.garbageBytes;
  }

  /** Gets a key ready to be looked for, in `packed`. */
  seek(key: Key, partition: number, packed: PackedKey): SoughtKey {
    return { partition, hash: this.#hash.hash(packed.pack(key)), packed };
  }

  /** The address of a key's record, live or expired; 0 if there is none. */
  find(key: SoughtKey): BlockAddress {
    return this.table.find(key);
  }

  /** Writes a record, over the one at `address` or anew; its address, 0 if there is no memory for it. */
  write(key: SoughtKey, address: BlockAddress, value: ByteRange, meta: Meta): BlockAddress {
    const isWaiting = address !== 0 && this.records.expires(address);
    if (isWaiting) this.wheel.remove(address);
    let written = address;
    if (address === 0 || !this.records.overwrite(address, value, meta)) {
      written = this.#create(key, value, meta);
      if (written === 0) {
        if (isWaiting) this.wheel.add(address);
        return 0;
      }
      if (address === 0) this.table.add(key, written);
      else {
        this.table.replace(key, address, written);
        this.#free(address);
      }
    }
    if (meta.ttlNs !== 0n) this.wheel.add(written);
    return written;
  }

  /** Removes the record at an address. */
  remove(place: Place, address: BlockAddress): void {
    if (this.records.expires(address)) this.wheel.remove(address);
    this.table.remove(place, address);
    this.#free(address);
  }

  /** Removes a record of which only the address is known. */
  drop(address: BlockAddress): void {
    this.remove(this.#placeOf(address), address);
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
    checkRecords({ arena: this.#arena, records, table, wheel, seek });
  }

  #create(key: SoughtKey, value: ByteRange, meta: Meta): BlockAddress {
    if (!this.table.reserve()) return 0;
    return this.records.create(key, value, meta);
  }

  #free(address: BlockAddress): void {
    this.#freedWords += this.records.sizeWords(address);
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
