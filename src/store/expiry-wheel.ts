/** Which records expire next: a hierarchical timing wheel threaded through the records themselves. */

import type { BlockAddress } from './memory/arena.ts';
import type { Records } from './memory/records.ts';

/** A tick: how late, at most, a deadline is noticed. */
const TICK_US = 2 ** 14;

/** Each level has 256 slots, and a slot of one level spans a whole turn of the level below. */
const SLOTS = 256;

/** Five turns of 16 ms ticks are 571 years, more than the longest time to live. */
const LEVELS = 5;

/** The slot of records whose tick was over when they were added. */
const OVERDUE = LEVELS * SLOTS;

/**
 * Records by deadline, in doubly linked lists whose links lie in the records: one word in each record
 * that expires, and constant time to add or remove it (Varghese and Lauck, "Hashed and Hierarchical
 * Timing Wheels", 1987, scheme 7).
 *
 * The wheel's tick follows the clock. Written with base 256, a tick has a digit for each level: a
 * record is in the level of the highest digit in which its deadline differs from the wheel's tick,
 * in the slot that this digit of the deadline names, and moves down when the tick gets there.
 */
export class ExpiryWheel {
  readonly #records: Records;
  readonly #startUs: number;
  /** The first record of each slot, 0 where there is none; level after level. */
  readonly #heads = new Uint32Array(LEVELS * SLOTS + 1);
  /** The present tick: everything before it has been taken out. */
  #tick = 0;
  #size = 0;

  constructor(records: Records, now: number) {
    this.#records = records;
    this.#startUs = now;
  }

  /** Records in the wheel. */
  get size(): number {
    return this.#size;
  }

  /** Adds a record that expires and is not in the wheel. */
  add(address: BlockAddress): void {
    const slot = this.#slotFor(this.#tickOf(this.#records.deadline(address)));
    const first = this.#heads[slot] as number;
    this.#records.setPrevious(address, 0);
    this.#records.setNext(address, first);
    if (first !== 0) this.#records.setPrevious(first, address);
    this.#heads[slot] = address;
    this.#size++;
  }

  /** Removes a record; to be called before its deadline changes or its memory is freed. */
  remove(address: BlockAddress): void {
    const next = this.#records.next(address);
    this.#linkBefore(address, next);
    if (next !== 0) this.#records.setPrevious(next, this.#records.previous(address));
    this.#size--;
  }

  /** Corrects the links to a record that was copied, links and all, from one address to another. */
  move(from: BlockAddress, to: BlockAddress): void {
    this.#linkBefore(from, to);
    const next = this.#records.next(from);
    if (next !== 0) this.#records.setPrevious(next, to);
  }

  /**
   * Brings the wheel up to `now` in small steps, each of which yields a record that has expired, or 0
   * for a step that found none. The caller removes each record it gets, and may stop at any step.
   */
  *due(now: number): Generator<BlockAddress> {
    const last = this.#tickOf(now);
    for (;;) {
      yield* this.#drain(OVERDUE);
      for (let level = LEVELS - 1; level > 0; level--) yield* this.#moveDown(level);
      if (this.#tick >= last) return;
      yield* this.#drain(slotOf(0, this.#tick));
      this.#tick = this.#size === 0 ? last : this.#tick + 1;
      yield 0;
    }
  }

  /** The record that expires first, to within a slot of its level, not `spared`; 0 if none does. */
  soonest(spared: BlockAddress): BlockAddress {
    if (this.#size === 0) return 0;
    for (const slot of this.#slotsByTime()) {
      const head = this.#heads[slot] as number;
      const found = head === spared && head !== 0 ? this.#records.next(head) : head;
      if (found !== 0) return found;
    }
    return 0;
  }

  /** All records in the wheel, in no order. Nothing may be added or removed meanwhile. */
  *addresses(): Generator<BlockAddress> {
    for (const head of this.#heads) {
      for (let at = head; at !== 0; at = this.#records.next(at)) yield at;
    }
  }

  *#slotsByTime(): Generator<number> {
    yield OVERDUE;
    for (let level = 0; level < LEVELS; level++) {
      const end = (level + 1) * SLOTS;
      for (let slot = slotOf(level, this.#tick); slot < end; slot++) yield slot;
    }
  }

  *#drain(slot: number): Generator<BlockAddress> {
    for (let head = this.#heads[slot]; head; head = this.#heads[slot]) yield head;
  }

  /** Puts the records of a level that the tick has reached into lower levels. */
  *#moveDown(level: number): Generator<BlockAddress> {
    for (const address of this.#drain(slotOf(level, this.#tick))) {
      this.remove(address);
      this.add(address);
      yield 0;
    }
  }

  /** Lets whatever links to a record, in front of it, link to another. */
  #linkBefore(address: BlockAddress, other: BlockAddress): void {
    const previous = this.#records.previous(address);
    if (previous === 0) this.#heads[this.#slotHeadedBy(address)] = other;
    else this.#records.setNext(previous, other);
  }

  /** Which slot has this record as its first: one of those that it has been in on its way down. */
  #slotHeadedBy(address: BlockAddress): number {
    const tick = this.#tickOf(this.#records.deadline(address));
    for (let level = 0; level < LEVELS; level++) {
      const slot = slotOf(level, tick);
      if (this.#heads[slot] === address) return slot;
    }
    return OVERDUE;
  }

  #slotFor(tick: number): number {
    if (tick < this.#tick) return OVERDUE;
    for (let level = LEVELS - 1; level > 0; level--) {
      const slot = slotOf(level, tick);
      if (slot !== slotOf(level, this.#tick)) return slot;
    }
    return slotOf(0, tick);
  }

  #tickOf(timeUs: number): number {
    return Math.floor((timeUs - this.#startUs) / TICK_US);
  }
}

/** The slot of a level that a tick belongs to. */
function slotOf(level: number, tick: number): number {
  return level * SLOTS + (Math.floor(tick / SLOTS ** level) % SLOTS);
}
