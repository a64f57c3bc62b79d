/** Memory for hash tables: blocks of a power of two, from slabs outside the JavaScript heap. */

import type { MemorySource } from './chunk.ts';

/** A slab has 4 MiB; it is given back when nothing in it is used. */
const SLAB_BITS = 20;
const SLAB_U32 = 1 << SLAB_BITS;
const OFFSET_MASK = SLAB_U32 - 1;

/** The smallest block has 2^4 numbers, 64 bytes. */
const ORDER_MIN = 4;

/** What is reserved for the allocations of one step: 256 KiB. */
const RESERVE_ORDER = 16;

/** What stands for no block in a list. */
const NONE = 0xffffffff;

/** A block: slab and offset, counted in numbers of 32 bits. */
export type TableAddress = number;

/**
 * A buddy allocator (Knuth, The Art of Computer Programming, volume 1, 2.5): a block is split in halves
 * until it fits, and two free halves become a block again. Tables double all together while a store
 * fills, and what the small ones leave behind must serve the large ones.
 *
 * Free blocks of one order form a list through their own first two numbers.
 */
export class TableMemory {
  readonly #source: MemorySource;
  readonly #slabs: (Uint32Array | undefined)[] = [];
  /** For each smallest block of a slab: the order of the free block that starts there, else 0. */
  readonly #freeOrders: Uint8Array[] = [];
  readonly #unusedNumbers: number[] = [];
  /** The first free block of each order. */
  readonly #heads = new Uint32Array(SLAB_BITS + 1).fill(NONE);
  #usedU32 = 0;

  constructor(source: MemorySource) {
    this.#source = source;
  }

  /** The blocks in use. */
  get usedBytes(): number {
    return this.#usedU32 * Uint32Array.BYTES_PER_ELEMENT;
  }

  /** The numbers of the slab that a block lies in; the block starts at {@link offsetOf}. */
  slabOf(address: TableAddress): Uint32Array {
    return this.#slabs[address >>> SLAB_BITS] as Uint32Array;
  }

  /** Makes sure of 256 KiB for what is allocated next; false if the system has no memory left. */
  reserve(): boolean {
    return this.#isReserved() || this.#addSlab();
  }

  /** Takes a block of 2^`order` zeros, `order` from 4 to 16, for which memory must be reserved. */
  allocate(order: number): TableAddress {
    let from = this.#smallestFree(order);
    const address = this.#heads[from] as number;
    this.#unlink(address, from);
    while (from > order) this.#release(address + (1 << --from), from);
    this.#usedU32 += 1 << order;
    const start = offsetOf(address);
    this.slabOf(address).fill(0, start, start + (1 << order));
    return address;
  }

  /** Gives a block back. */
  free(address: TableAddress, order: number): void {
    this.#usedU32 -= 1 << order;
    let at = address;
    let size = order;
    for (; size < SLAB_BITS; size++) {
      const buddy = (at ^ (1 << size)) >>> 0;
      if (this.#freeOrderAt(buddy) !== size) break;
      this.#unlink(buddy, size);
      at = Math.min(at, buddy);
    }
    // What is reserved stays, and so the first key that comes and goes fetches no memory each time.
    if (size === SLAB_BITS && this.#isReserved()) this.#dropSlab(at >>> SLAB_BITS);
    else this.#release(at, size);
  }

  #isReserved(): boolean {
    return this.#smallestFree(RESERVE_ORDER) <= SLAB_BITS;
  }

  /** The order of the smallest free blocks that are large enough; more than a slab's if none is. */
  #smallestFree(order: number): number {
    let from = order;
    while (from <= SLAB_BITS && this.#heads[from] === NONE) from++;
    return from;
  }

  #addSlab(): boolean {
    const memory = this.#source.chunk();
    if (memory === undefined) return false;
    const number = this.#unusedNumbers.pop() ?? this.#slabs.length;
    this.#slabs[number] = new Uint32Array(memory);
    this.#freeOrders[number] ??= new Uint8Array(SLAB_U32 >>> ORDER_MIN);
    this.#release((number << SLAB_BITS) >>> 0, SLAB_BITS);
    return true;
  }

  #dropSlab(number: number): void {
    this.#source.free(this.#slabs[number]!.buffer as ArrayBuffer);
    this.#slabs[number] = undefined;
    this.#unusedNumbers.push(number);
  }

  /** Puts a block in front of the list of free ones. */
  #release(address: TableAddress, order: number): void {
    const next = this.#heads[order] as number;
    this.#setLinks(address, NONE, next);
    if (next !== NONE) this.slabOf(next)[offsetOf(next)] = address;
    this.#heads[order] = address;
    this.#setFreeOrder(address, order);
  }

  #unlink(address: TableAddress, order: number): void {
    const slab = this.slabOf(address);
    const previous = slab[offsetOf(address)] as number;
    const next = slab[offsetOf(address) + 1] as number;
    if (previous === NONE) this.#heads[order] = next;
    else this.slabOf(previous)[offsetOf(previous) + 1] = next;
    if (next !== NONE) this.slabOf(next)[offsetOf(next)] = previous;
    this.#setFreeOrder(address, 0);
  }

  #setLinks(address: TableAddress, previous: TableAddress, next: TableAddress): void {
    const slab = this.slabOf(address);
    slab[offsetOf(address)] = previous;
    slab[offsetOf(address) + 1] = next;
  }

  #freeOrderAt(address: TableAddress): number {
    const orders = this.#freeOrders[address >>> SLAB_BITS] as Uint8Array;
    return orders[offsetOf(address) >>> ORDER_MIN] as number;
  }

  #setFreeOrder(address: TableAddress, order: number): void {
    const orders = this.#freeOrders[address >>> SLAB_BITS] as Uint8Array;
    orders[offsetOf(address) >>> ORDER_MIN] = order;
  }
}

/** Where a block starts in its slab. */
export function offsetOf(address: TableAddress): number {
  return address & OFFSET_MASK;
}
