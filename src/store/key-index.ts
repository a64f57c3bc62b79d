/** Where each key's record is: one open-addressing hash table a shard. */

import type { Key } from '../key.ts';
import type { BlockAddress } from './arena.ts';
import type { Records } from './records.ts';

/** Slots of the smallest table. A table always has a power of two. */
const SLOTS_MIN = 8;

/** Numbers (u32) in a slot: the hash of the key and the address of its record, 0 in an empty slot. */
const SLOT_U32 = 2;

/** A table grows when more than 7/8 of its slots are taken, and shrinks below 1/8. */
const FULL = 7 / 8;
const SPARSE = 1 / 8;

const EMPTY = new Uint32Array(0);

/**
 * Tables of (hash, address) with linear probing, a table made with its first entry and dropped with
 * its last. Hashes are compared before keys, so that a look-up rarely reads a record in vain, and
 * growing never reads one.
 */
export class KeyIndex {
  readonly #records: Records;
  readonly #tables: (Uint32Array | undefined)[];
  readonly #counts: Uint32Array;
  #slots = 0;
  #entries = 0;

  constructor(shards: number, records: Records) {
    this.#records = records;
    this.#tables = Array.from({ length: shards }, () => undefined);
    this.#counts = new Uint32Array(shards);
  }

  get shards(): number {
    return this.#tables.length;
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
    return this.#slots * SLOT_U32 * Uint32Array.BYTES_PER_ELEMENT;
  }

  /** The address of a key's record; 0 if there is none. */
  find(shard: number, hash: number, key: Key): BlockAddress {
    const table = this.#tables[shard];
    if (table === undefined) return 0;
    const mask = table.length - 1;
    for (let at = firstProbe(hash, mask); ; at = nextProbe(at, mask)) {
      const address = table[at + 1] as number;
      if (address === 0) return 0;
      if (table[at] === hash && this.#records.hasKey(address, key)) return address;
    }
  }

  /** Adds an entry; the key must have none yet. */
  add(shard: number, hash: number, address: BlockAddress): void {
    const count = this.count(shard) + 1;
    const table = this.#tables[shard];
    const slots = table === undefined ? 0 : table.length / SLOT_U32;
    if (count > slots * FULL) this.#resize(shard, Math.max(SLOTS_MIN, slots * 2));
    insert(this.#tables[shard] as Uint32Array, hash, address);
    this.#counts[shard] = count;
    this.#entries++;
  }

  /** Lets the entry of one address point at another. */
  replace(shard: number, hash: number, from: BlockAddress, to: BlockAddress): void {
    const table = this.#tables[shard] as Uint32Array;
    table[slotOf(table, hash, from) + 1] = to;
  }

  /** Removes the entry of an address. */
  remove(shard: number, hash: number, address: BlockAddress): void {
    const table = this.#tables[shard] as Uint32Array;
    close(table, slotOf(table, hash, address));
    const count = this.count(shard) - 1;
    this.#counts[shard] = count;
    this.#entries--;
    const slots = table.length / SLOT_U32;
    if (count === 0) this.#resize(shard, 0);
    else if (slots > SLOTS_MIN && count < slots * SPARSE) this.#resize(shard, slots / 2);
  }

  /**
   * The addresses in one shard, in no order, from a `share` (0 to 1) of the table on. Nothing may be
   * added or removed meanwhile.
   */
  *addresses(shard: number, share = 0): Generator<BlockAddress> {
    const table = this.#tables[shard] ?? EMPTY;
    for (let at = Math.floor(share * table.length) | 1; at < table.length; at += SLOT_U32) {
      const address = table[at] as number;
      if (address !== 0) yield address;
    }
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

  #resize(shard: number, slots: number): void {
    const old = this.#tables[shard];
    const table = slots === 0 ? undefined : new Uint32Array(slots * SLOT_U32);
    this.#tables[shard] = table;
    this.#slots += slots - (old === undefined ? 0 : old.length / SLOT_U32);
    if (old === undefined || table === undefined) return;
    for (let at = 0; at < old.length; at += SLOT_U32) {
      const address = old[at + 1] as number;
      if (address !== 0) insert(table, old[at] as number, address);
    }
  }
}

function firstProbe(hash: number, mask: number): number {
  return (hash * SLOT_U32) & mask;
}

function nextProbe(at: number, mask: number): number {
  return (at + SLOT_U32) & mask;
}

function insert(table: Uint32Array, hash: number, address: BlockAddress): void {
  const mask = table.length - 1;
  let at = firstProbe(hash, mask);
  while (table[at + 1] !== 0) at = nextProbe(at, mask);
  table[at] = hash;
  table[at + 1] = address;
}

/** The position of the slot that holds an address, which must be there. */
function slotOf(table: Uint32Array, hash: number, address: BlockAddress): number {
  const mask = table.length - 1;
  let at = firstProbe(hash, mask);
  while (table[at + 1] !== address) at = nextProbe(at, mask);
  return at;
}

/**
 * Empties a slot and moves later entries of the same run up into the gap (Knuth, The Art of Computer
 * Programming, volume 3, 6.4, algorithm R), so that no probe ends too early and no mark of a removed
 * entry is left behind.
 */
function close(table: Uint32Array, slot: number): void {
  const mask = table.length - 1;
  let gap = slot;
  for (let at = nextProbe(gap, mask); table[at + 1] !== 0; at = nextProbe(at, mask)) {
    const first = firstProbe(table[at] as number, mask);
    // An entry may move up only as far as the slot where its own probing starts.
    if (((at - first) & mask) < ((at - gap) & mask)) continue;
    table[gap] = table[at] as number;
    table[gap + 1] = table[at + 1] as number;
    gap = at;
  }
  table[gap + 1] = 0;
}
