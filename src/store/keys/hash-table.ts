/** One open-addressing hash table of (hash, address), in memory that it is told. */

import type { BlockAddress } from '../memory/arena.ts';

/** Numbers (u32) in a slot: the hash of a key and the address of its record, 0 in an empty slot. */
const SLOT_U32 = 2;

/** A table may have up to 7/8 of its slots taken, and shrinks below 1/8. */
const FULL = 7 / 8;
const SPARSE = 1 / 8;

/** What a slot holds. */
export type Entry = readonly [hash: number, address: BlockAddress];

/** The most entries that a table of 2^order numbers may have. */
export function capacityOf(order: number): number {
  return (2 ** order / SLOT_U32) * FULL;
}

/** With fewer entries a table of 2^order numbers should be a smaller one. */
export function sparseBelow(order: number): number {
  return (2 ** order / SLOT_U32) * SPARSE;
}

/** 2^order numbers of `memory`, from `start` on, seen as slots with linear probing. */
export class HashTable {
  readonly #memory: Uint32Array;
  readonly #start: number;
  readonly #mask: number;

  constructor(memory: Uint32Array, start: number, order: number) {
    this.#memory = memory;
    this.#start = start;
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

  /** The entries from the slot on where the probing for a hash starts; without one, all of them. */
  *entries(from = 0): Generator<Entry> {
    for (let at = firstProbe(from, this.#mask); at <= this.#mask; at += SLOT_U32) {
      if (this.#address(at) !== 0) yield [this.#hash(at), this.#address(at)];
    }
  }

  /** The position of the slot that holds an address, which must be there. */
  #slotOf(hash: number, address: BlockAddress): number {
    let at = firstProbe(hash, this.#mask);
    while (this.#address(at) !== address) at = nextProbe(at, this.#mask);
    return at;
  }

  #hash(at: number): number {
    return this.#memory[this.#start + at] as number;
  }

  #address(at: number): BlockAddress {
    return this.#memory[this.#start + at + 1] as number;
  }

  #set(at: number, hash: number, address: BlockAddress): void {
    this.#memory[this.#start + at] = hash;
    this.#memory[this.#start + at + 1] = address;
  }
}

/** The first number of the slot where the probing for a hash starts. */
export function firstProbe(hash: number, mask: number): number {
  return (hash * SLOT_U32) & mask;
}

export function nextProbe(at: number, mask: number): number {
  return (at + SLOT_U32) & mask;
}
