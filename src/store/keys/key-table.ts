/** Where each key's record is: hash tables, and a tree for each partition that has more than one. */

import type { BlockAddress } from '../memory/arena.ts';
import type { MemorySource } from '../memory/chunk.ts';
import type { Records } from '../memory/records.ts';
import { offsetOf, TableMemory } from '../memory/tables.ts';
import {
  capacityOf,
  firstProbe,
  HashTable,
  nextProbe,
  sparseBelow,
  type Entry,
} from './hash-table.ts';
import type { Place } from '../../record/lister.ts';
import type { SoughtKey } from './packed-key.ts';

/** Tables have 2^4 to 2^12 numbers: 8 slots to 2,048. */
const ORDER_MIN = 4;
const ORDER_MAX = 12;

/** A node of a tree is two numbers (u32): a reference to what is there, and the entries below it. */
const NODE_U32 = 2;

/** A branch is a block of sixteen nodes, one for each value of four bits of the hash. */
const BRANCH_BITS = 4;
const BRANCH_NODES = 1 << BRANCH_BITS;
const BRANCH_ORDER = 5;

/** The first four bits of a hash choose the child of the root. */
const ROOT_SHIFT = 32 - BRANCH_BITS;

/**
 * A table or a branch: its address, a multiple of sixteen, and in the low four bits which of them it
 * is, {@link BRANCH} or the order of the table. 0 is neither.
 */
type Reference = number;

const BRANCH = 15;
const KIND_MASK = 15;

/**
 * A partition begins as one table. A table that would grow past 2,048 slots is split into sixteen, by
 * the next bits of the hash, below a branch; a branch with few entries becomes a table again. So no
 * step takes long, neither growing nor listing a table, however many keys share a partition.
 *
 * Hashes are compared before keys, so that a look-up rarely reads a record in vain, and growing never
 * reads one.
 */
export class KeyTable {
  readonly #records: Records;
  readonly #memory: TableMemory;
  /** The root of each partition's tree. */
  readonly #roots: Uint32Array;
  #entries = 0;

  constructor(partitions: number, records: Records, source: MemorySource) {
    this.#records = records;
    this.#memory = new TableMemory(source);
    this.#roots = new Uint32Array(partitions * NODE_U32);
  }

  get partitions(): number {
    return this.#roots.length / NODE_U32;
  }

  /** Entries of one partition. */
  count(partition: number): number {
    return this.#roots[partition * NODE_U32 + 1] as number;
  }

  /** Entries of all partitions. */
  get entries(): number {
    return this.#entries;
  }

  /** Memory of all tables and branches. */
  get sizeBytes(): number {
    return this.#memory.usedBytes;
  }

  /** The address of a key's record; 0 if there is none. */
  find({ partition, hash, packed }: SoughtKey): BlockAddress {
    const { table } = this.#leaf(partition, hash);
    if (table === 0) return 0;
    const slab = this.#memory.slabOf(table);
    const start = startOf(table);
    const mask = (1 << orderOf(table)) - 1;
    for (let at = firstProbe(hash, mask); ; at = nextProbe(at, mask)) {
      const address = slab[start + at + 1] as number;
      if (address === 0) return 0;
      if (slab[start + at] === hash && this.#records.hasKey(address, packed)) return address;
    }
  }

  /** Makes sure that there is memory for one more entry; false if there is none. */
  reserve(): boolean {
    return this.#memory.reserve();
  }

  /** Adds an entry, for which memory must be reserved; the key must have none yet. */
  add({ partition, hash }: Place, address: BlockAddress): void {
    this.#add(this.#roots, partition * NODE_U32, ROOT_SHIFT, [hash, address]);
    this.#entries++;
  }

  /** Lets the entry of one address point at another. */
  replace({ partition, hash }: Place, from: BlockAddress, to: BlockAddress): void {
    this.#open(this.#leaf(partition, hash).table).replace(hash, from, to);
  }

  /** Removes the entry of an address. */
  remove({ partition, hash }: Place, address: BlockAddress): void {
    this.#remove(this.#roots, partition * NODE_U32, ROOT_SHIFT, [hash, address]);
    this.#entries--;
  }

  /**
   * The entries from a place on, as far as a partition, one table after the other, by partition and hash but in no order
   * within a table. What is added or removed meanwhile may be there or not, all else is there once:
   * a table that has split or merged since goes on where the one before it ended.
   */
  *tables(
    from: Place,
    last = this.partitions - 1,
  ): Generator<{ partition: number; entries: Entry[]; next: Place }> {
    let { partition, hash } = from;
    for (; partition <= last; partition++, hash = 0) {
      while (hash < 2 ** 32 && this.count(partition) > 0) {
        const start = hash;
        const { table, shift } = this.#leaf(partition, start);
        hash = endOf(start, shift);
        if (table === 0) continue;
        const entries = [...this.#open(table).entries()].filter(([found]) => found >= start);
        const isLast = hash === 2 ** 32;
        const next = isLast ? { partition: partition + 1, hash: 0 } : { partition, hash };
        yield { partition, entries, next };
      }
    }
  }

  /**
   * All addresses, from somewhere in a partition on and once around, in no order; those before this
   * place last, and all others of the partition once more.
   */
  *addressesFrom({ partition, hash }: Place): Generator<BlockAddress> {
    yield* this.addresses(partition, hash);
    for (let next = 1; next <= this.partitions; next++) {
      const at = (partition + next) % this.partitions;
      if (this.count(at) > 0) yield* this.addresses(at);
    }
  }

  /** The addresses in a partition, in no order. Nothing may be added or removed meanwhile. */
  *addresses(partition: number, from = 0): Generator<BlockAddress> {
    for (let hash = from; hash < 2 ** 32; ) {
      const { table, shift } = this.#leaf(partition, hash);
      if (table !== 0) {
        for (const [, address] of this.#open(table).entries(hash)) yield address;
      }
      hash = endOf(hash, shift);
    }
  }

  /**
   * Verifies that each node counts what is below it, and that no table is too full to end a probe.
   *
   * @throws Error that says which node does not.
   */
  check(): void {
    for (let partition = 0; partition < this.partitions; partition++) {
      this.#check(this.#roots, partition * NODE_U32);
    }
  }

  #check(nodes: Uint32Array, at: number): void {
    const reference = nodes[at] as Reference;
    let found = 0;
    if (isBranch(reference)) {
      for (const [below, child] of this.#children(reference)) {
        this.#check(below, child);
        found += below[child + 1] as number;
      }
    } else if (reference !== 0) {
      found = [...this.#open(reference).entries()].length;
      if (found > capacityOf(orderOf(reference))) throw new Error(`a table has ${found} entries`);
    }
    const count = nodes[at + 1] as number;
    if (found !== count) throw new Error(`a node counts ${count} entries and has ${found}`);
  }

  /** The table that a hash belongs to, and the shift that would choose among children in its place. */
  #leaf(partition: number, hash: number): { table: Reference; shift: number } {
    let table = this.#roots[partition * NODE_U32] as Reference;
    let shift = ROOT_SHIFT;
    for (; isBranch(table); shift -= BRANCH_BITS) {
      table = this.#memory.slabOf(table)[childOf(table, hash, shift)] as Reference;
    }
    return { table, shift };
  }

  /** Adds an entry to what is below the node at `nodes[at]`. */
  #add(nodes: Uint32Array, at: number, shift: number, entry: Entry): void {
    const count = (nodes[at + 1] as number) + 1;
    const before = nodes[at] as Reference;
    if (before === 0) this.#resize(nodes, at, ORDER_MIN);
    else if (!isBranch(before) && count > capacityOf(orderOf(before))) {
      if (orderOf(before) < ORDER_MAX) this.#resize(nodes, at, orderOf(before) + 1);
      else this.#rebuild(nodes, at, shift, this.#memory.allocate(BRANCH_ORDER) + BRANCH);
    }
    nodes[at + 1] = count;
    const reference = nodes[at] as Reference;
    if (!isBranch(reference)) return this.#open(reference).insert(...entry);
    const child = childOf(reference, entry[0], shift);
    this.#add(this.#memory.slabOf(reference), child, shift - BRANCH_BITS, entry);
  }

  /** Removes an entry from what is below the node at `nodes[at]`. */
  #remove(nodes: Uint32Array, at: number, shift: number, entry: Entry): void {
    const count = (nodes[at + 1] as number) - 1;
    nodes[at + 1] = count;
    const reference = nodes[at] as Reference;
    if (isBranch(reference)) {
      const child = childOf(reference, entry[0], shift);
      this.#remove(this.#memory.slabOf(reference), child, shift - BRANCH_BITS, entry);
      if (count < sparseBelow(ORDER_MAX) && this.reserve()) this.#rebuild(nodes, at, shift, 0);
      return;
    }
    this.#open(reference).remove(...entry);
    const order = orderOf(reference);
    if (count === 0) {
      nodes[at] = 0;
      this.#free(reference);
    } else if (order > ORDER_MIN && count < sparseBelow(order) && this.reserve()) {
      this.#resize(nodes, at, order - 1);
    }
  }

  /** Puts a table of another size in the place of one, or of nothing. */
  #resize(nodes: Uint32Array, at: number, order: number): void {
    const old = nodes[at] as Reference;
    nodes[at] = this.#memory.allocate(order) + kindOfTable(order);
    const table = this.#open(nodes[at]);
    for (const entry of this.#entriesBelow(old)) table.insert(...entry);
    this.#free(old);
  }

  /** Puts the entries below a node into an empty branch, or into tables from nothing on. */
  #rebuild(nodes: Uint32Array, at: number, shift: number, empty: Reference): void {
    const old = nodes[at] as Reference;
    nodes[at] = empty;
    nodes[at + 1] = 0;
    for (const entry of this.#entriesBelow(old)) this.#add(nodes, at, shift, entry);
    this.#free(old);
  }

  *#entriesBelow(reference: Reference): Generator<Entry> {
    if (reference === 0) return;
    if (!isBranch(reference)) return yield* this.#open(reference).entries();
    for (const [nodes, at] of this.#children(reference)) {
      yield* this.#entriesBelow(nodes[at] as Reference);
    }
  }

  /** Where the nodes of a branch are. */
  *#children(branch: Reference): Generator<[nodes: Uint32Array, at: number]> {
    const slab = this.#memory.slabOf(branch);
    const start = startOf(branch);
    for (let at = 0; at < 1 << BRANCH_ORDER; at += NODE_U32) yield [slab, start + at];
  }

  #open(table: Reference): HashTable {
    return new HashTable(this.#memory.slabOf(table), startOf(table), orderOf(table));
  }

  /** Frees a table, or a branch and all below it. */
  #free(reference: Reference): void {
    if (reference === 0) return;
    const address = reference - kindOf(reference);
    if (!isBranch(reference)) return this.#memory.free(address, orderOf(reference));
    for (const [nodes, at] of this.#children(reference)) this.#free(nodes[at] as Reference);
    this.#memory.free(address, BRANCH_ORDER);
  }
}

function kindOf(reference: Reference): number {
  return reference & KIND_MASK;
}

function isBranch(reference: Reference): boolean {
  return kindOf(reference) === BRANCH;
}

/** Where a table or a branch starts in its slab. */
function startOf(reference: Reference): number {
  return offsetOf(reference - kindOf(reference));
}

/** A table has 2^order numbers. */
function orderOf(table: Reference): number {
  return kindOf(table) + ORDER_MIN - 1;
}

function kindOfTable(order: number): number {
  return order - ORDER_MIN + 1;
}

/** Where the node of a branch is that a hash belongs to. */
function childOf(branch: Reference, hash: number, shift: number): number {
  return startOf(branch) + ((hash >>> shift) & (BRANCH_NODES - 1)) * NODE_U32;
}

/** The lowest hash beyond the table of this one, which was found with this shift. */
function endOf(hash: number, shift: number): number {
  const range = 2 ** (shift + BRANCH_BITS);
  return (Math.floor(hash / range) + 1) * range;
}
