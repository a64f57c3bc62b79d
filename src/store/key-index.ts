/** Where each key's record is: one open-addressing hash table a shard. */

import type { Key } from '../key.ts';
import type { BlockAddress } from './arena.ts';
import type { Records } from './records.ts';
import { offsetOf, TableMemory, type TableAddress } from './table-memory.ts';

/** Numbers (u32) in a slot: the hash of the key and the address of its record, 0 in an empty slot. */
const SLOT_U32 = 2;

/** A table has 2^order numbers; the smallest has eight slots. */
const ORDER_MIN = 4;

/** A table grows when more than 7/8 of its slots are taken, and shrinks below 1/8. */
const FULL = 7 / 8;
const SPARSE = 1 / 8;

/**
 * Tables of (hash, address) with linear probing, a table made with its first entry and dropped with
 * its last. Hashes are compared before keys, so that a look-up rarely reads a record in vain, and
 * growing never reads one.
 */
export class KeyIndex {
  readonly #records: Records;
  readonly #memory = new TableMemory();
  /** Of each shard: where its table is, how large it is (0 for none), and its entries. */
  readonly #tables: Uint32Array;
  readonly #orders: Uint8Array;
  readonly #counts: Uint32Array;
  #entries = 0;

  constructor(shards: number, records: Records) {
    this.#records = records;
    this.#tables = new Uint32Array(shards);
    this.#orders = new Uint8Array(shards);
    this.#counts = new Uint32Array(shards);
  }

  get shards(): number {
    return this.#counts.length;
  }

  /** Entries in one table. */
  count(shard: number): number {
    return this.#counts[shard] as number;
  }

  /** Entries in all tables. */
  get entries(): number {
    return this.#entries;
  }

  /** Memory of all tables. */
  get sizeBytes(): number {
    return this.#memory.usedBytes;
  }

  /** The address of a key's record; 0 if there is none. */
  find(shard: number, hash: number, key: Key): BlockAddress {
    const order = this.#orders[shard] as number;
    if (order === 0) return 0;
    const table = this.#tables[shard] as number;
    const slab = this.#memory.slabOf(table);
    const start = offsetOf(table);
    const mask = (1 << order) - 1;
    for (let at = firstProbe(hash, mask); ; at = nextProbe(at, mask)) {
      const address = slab[start + at + 1] as number;
      if (address === 0) return 0;
      if (slab[start + at] === hash && this.#records.hasKey(address, key)) return address;
    }
  }

  /** Adds an entry; the key must have none yet. */
  add(shard: number, hash: number, address: BlockAddress): void {
    const count = this.count(shard) + 1;
    const order = this.#orders[shard] as number;
    if (order === 0) this.#resize(shard, ORDER_MIN);
    else if (count > (2 ** order / SLOT_U32) * FULL) this.#resize(shard, order + 1);
    this.#table(shard).insert(hash, address);
    this.#counts[shard] = count;
    this.#entries++;
  }

  /** Lets the entry of one address point at another. */
  replace(shard: number, hash: number, from: BlockAddress, to: BlockAddress): void {
    this.#table(shard).replace(hash, from, to);
  }

  /** Removes the entry of an address. */
  remove(shard: number, hash: number, address: BlockAddress): void {
    this.#table(shard).remove(hash, address);
    const count = this.count(shard) - 1;
    this.#counts[shard] = count;
    this.#entries--;
    const order = this.#orders[shard] as number;
    if (count === 0) this.#resize(shard, 0);
    else if (order > ORDER_MIN && count < (2 ** order / SLOT_U32) * SPARSE) {
      this.#resize(shard, order - 1);
    }
  }

  /**
   * The addresses in one shard, in no order, from a `share` (0 to 1) of the table on. Nothing may be
   * added or removed meanwhile.
   */
  *addresses(shard: number, share = 0): Generator<BlockAddress> {
    if (this.#orders[shard] !== 0) yield* this.#table(shard).addresses(share);
  }

  /** The addresses in all shards, from a `share` (0 to 1) of everything on and once around. */
  *addressesFrom(share: number): Generator<BlockAddress> {
    const first = Math.floor(share * this.shards);
    yield* this.addresses(first, share * this.shards - first);
    for (let at = 1; at <= this.shards; at++) {
      const shard = (first + at) % this.shards;
      if (this.count(shard) > 0) yield* this.addresses(shard);
    }
  }

  #table(shard: number): Table {
    const address = this.#tables[shard] as number;
    return new Table(this.#memory.slabOf(address), address, this.#orders[shard] as number);
  }

  #resize(shard: number, order: number): void {
    const oldOrder = this.#orders[shard] as number;
    const old = this.#tables[shard] as number;
    const address = order === 0 ? 0 : this.#memory.allocate(order);
    if (order !== 0 && oldOrder !== 0) {
      const table = new Table(this.#memory.slabOf(address), address, order);
      for (const [hash, entry] of this.#table(shard).entries()) table.insert(hash, entry);
    }
    this.#tables[shard] = address;
    this.#orders[shard] = order;
    if (oldOrder !== 0) this.#memory.free(old, oldOrder);
  }
}

/** One table, where it lies in its slab. */
class Table {
  readonly #slab: Uint32Array;
  readonly #start: number;
  readonly #mask: number;

  constructor(slab: Uint32Array, address: TableAddress, order: number) {
    this.#slab = slab;
    this.#start = offsetOf(address);
    this.#mask = (1 << order) - 1;
  }

  insert(hash: number, address: BlockAddress): void {
    let at = firstProbe(hash, this.#mask);
    while (this.#address(at) !== 0) at = nextProbe(at, this.#mask);
    this.#set(at, hash, address);
  }

  replace(hash: number, from: BlockAddress, to: BlockAddress): void {
    this.#set(this.#slotOf(hash, from), hash, to);
  }

  /**
   * Empties a slot and moves later entries of the same run up into the gap (Knuth, The Art of Computer
   * Programming, volume 3, 6.4, algorithm R), so that no probe ends too early and no mark of a
   * removed entry is left behind.
   */
  remove(hash: number, address: BlockAddress): void {
    let gap = this.#slotOf(hash, address);
    for (let at = nextProbe(gap, this.#mask); this.#address(at) !== 0; ) {
      const first = firstProbe(this.#hash(at), this.#mask);
      // An entry may move up only as far as the slot where its own probing starts.
      if (((at - first) & this.#mask) >= ((at - gap) & this.#mask)) {
        this.#set(gap, this.#hash(at), this.#address(at));
        gap = at;
      }
      at = nextProbe(at, this.#mask);
    }
    this.#set(gap, 0, 0);
  }

  *entries(): Generator<[hash: number, address: BlockAddress]> {
    for (let at = 0; at <= this.#mask; at += SLOT_U32) {
      if (this.#address(at) !== 0) yield [this.#hash(at), this.#address(at)];
    }
  }

  *addresses(share: number): Generator<BlockAddress> {
    const slots = (this.#mask + 1) / SLOT_U32;
    for (let at = Math.floor(share * slots) * SLOT_U32; at <= this.#mask; at += SLOT_U32) {
      if (this.#address(at) !== 0) yield this.#address(at);
    }
  }

  /** The position of the slot that holds an address, which must be there. */
  #slotOf(hash: number, address: BlockAddress): number {
    let at = firstProbe(hash, this.#mask);
    while (this.#address(at) !== address) at = nextProbe(at, this.#mask);
    return at;
  }

  #hash(at: number): number {
    return this.#slab[this.#start + at] as number;
  }

  #address(at: number): BlockAddress {
    return this.#slab[this.#start + at + 1] as number;
  }

  #set(at: number, hash: number, address: BlockAddress): void {
    this.#slab[this.#start + at] = hash;
    this.#slab[this.#start + at + 1] = address;
  }
}

/** The first number of the slot where the probing for a hash starts. */
function firstProbe(hash: number, mask: number): number {
  return (hash * SLOT_U32) & mask;
}

function nextProbe(at: number, mask: number): number {
  return (at + SLOT_U32) & mask;
}
