/** The keys of a single server in the order of a list, without more of them in memory than fit. */

import type { Key } from '../base/key.ts';
import { VALKEY_STEP_KEYS } from '../base/limits.ts';
import type { KeySpace } from './keys.ts';
import { SLOTS } from './topology.ts';

/** What a key takes beside its bytes while it waits to be sorted. */
const KEY_OVERHEAD_BYTES = 64;

/** A place in the order of the list: before all keys of a slot, or behind one of them. */
export interface Place {
  readonly slot: number;
  readonly after?: Key;
}

/** Keys that come next behind a place, of all that are seen: as many as memory may take. */
export class NextKeys {
  readonly #bySlot = new Map<number, Set<Key>>();
  readonly #space: KeySpace;
  readonly #from: Place;
  readonly #bytesMax: number;
  /** The slot that the keys end before, and the last key that is kept of the one before it. */
  #end = SLOTS;
  #last: Key | undefined;
  #bytes = 0;

  constructor(space: KeySpace, from: Place, bytesMax: number) {
    this.#space = space;
    this.#from = from;
    this.#bytesMax = bytesMax;
  }

  /** The place to go on from. */
  get next(): Place {
    if (this.#last === undefined) return { slot: this.#end };
    return { slot: this.#end - 1, after: this.#last };
  }

  /** Takes a key that SCAN has given; it may give one twice. */
  add(key: Key): void {
    const slot = this.#space.slotOf(key);
    if (slot < this.#from.slot || slot >= this.#end) return;
    const { after } = this.#from;
    if (after !== undefined && slot === this.#from.slot && key <= after) return;
    if (this.#last !== undefined && slot === this.#end - 1 && key > this.#last) return;
    const keys = this.#bySlot.get(slot) ?? new Set();
    this.#bySlot.set(slot, keys);
    if (keys.has(key)) return;
    keys.add(key);
    this.#bytes += sizeOf(key);
    while (this.#bytes > this.#bytesMax) this.#shorten();
  }

  /** The keys in the order of the list, as many at a time as one step takes. */
  *pieces(): Generator<Key[]> {
    let piece: Key[] = [];
    for (const [, keys] of [...this.#bySlot].toSorted(([a], [b]) => a - b)) {
      for (const key of [...keys].toSorted(byBytes)) {
        piece.push(key);
        if (piece.length < VALKEY_STEP_KEYS) continue;
        yield piece;
        piece = [];
      }
    }
    if (piece.length > 0) yield piece;
  }

  /** Leaves the last half to the next pass: of the slots, or of the keys of the only one. */
  #shorten(): void {
    if (this.#bySlot.size === 1) {
      const [slot, keys] = this.#bySlot.entries().next().value!;
      this.#end = slot + 1;
      const inOrder = [...keys].toSorted(byBytes);
      for (const key of inOrder.splice(Math.ceil(inOrder.length / 2))) this.#drop(keys, key);
      this.#last = inOrder.at(-1);
      return;
    }
    this.#last = undefined;
    this.#end = Math.ceil((this.#from.slot + this.#end) / 2);
    for (const [at, dropped] of this.#bySlot) {
      if (at < this.#end) continue;
      this.#bySlot.delete(at);
      for (const key of dropped) this.#drop(dropped, key);
    }
  }

  #drop(keys: Set<Key>, key: Key): void {
    keys.delete(key);
    this.#bytes -= sizeOf(key);
  }
}

/** What a key takes in a set, about. */
function sizeOf(key: Key): number {
  return key.length + KEY_OVERHEAD_BYTES;
}

/** Compares keys as the list orders those of one slot. */
export function byBytes(a: Key, b: Key): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
