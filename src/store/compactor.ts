/** Compaction: wins garbage back by moving what lives out of the segments that have the most of it. */

import type { Arena, BlockAddress } from './memory/arena.ts';
import type { Records } from './memory/records.ts';

/** Garbage up to this share of the live bytes is left alone; and so are this many bytes. */
const GARBAGE_SHARE_MAX = 1 / 8;
const GARBAGE_BYTES_MIN = 2 * 1024 * 1024;

/**
 * Words that are moved for each word that becomes garbage. With garbage at its bound of g, the segment
 * with the most of it is live by at most 1 / (1 + g): to win a word there takes 1 / g moved words, 8,
 * so that this pace wins garbage back a little faster than it is made.
 */
const MOVED_PER_FREED = 10;

/** Moves records, a bounded piece at a time, and tells `onMove` so that nothing points to the past. */
export class Compactor {
  readonly #arena: Arena;
  readonly #records: Records;
  readonly #onMove: (from: BlockAddress, to: BlockAddress) => void;
  /** The next block to look at in the segment that is being emptied; 0 if there is none. */
  #at: BlockAddress = 0;
  #movedWords = 0;

  constructor(
    arena: Arena,
    records: Records,
    onMove: (from: BlockAddress, to: BlockAddress) => void,
  ) {
    this.#arena = arena;
    this.#records = records;
    this.#onMove = onMove;
  }

  /** What was moved since the start. */
  get movedWords(): number {
    return this.#movedWords;
  }

  /** Whether there is more garbage than there should be. */
  get isBehind(): boolean {
    const { garbageBytes, liveBytes } = this.#arena;
    return garbageBytes > Math.max(liveBytes * GARBAGE_SHARE_MAX, GARBAGE_BYTES_MIN);
  }

  /** Does the work that freeing `freedWords` causes, until `maxWords` of it are done. */
  pay(freedWords: number, maxWords: number): void {
    const words = Math.min(freedWords * MOVED_PER_FREED, maxWords);
    for (let done = 0; done < words && this.isBehind; ) {
      const step = this.step();
      if (step === 0) return;
      done += step;
    }
  }

  /** Looks at one block and moves it if it lives; returns words of work, 0 if nothing can be done. */
  step(): number {
    if (this.#at === 0) this.#at = this.#arena.pinMostGarbage();
    const from = this.#at;
    if (from === 0) return 0;
    this.#at = this.#arena.nextBlock(from);
    const words = this.#records.isDead(from) ? 1 : this.#move(from);
    if (this.#at === 0) this.#arena.unpin();
    return words;
  }

  #move(from: BlockAddress): number {
    const to = this.#records.copy(from);
    if (to === 0) return 0;
    this.#onMove(from, to);
    const words = this.#records.sizeWords(from);
    this.#records.free(from);
    this.#movedWords += words;
    return words;
  }
}
