/** Raw memory outside the JavaScript heap: segments that blocks are appended to, and their garbage. */

import { ADDRESSABLE_SEGMENTS } from '../../base/limits.ts';
import { allocateChunk, allocateExactly, freeMemory } from './chunk.ts';

/** Bytes in a word. Blocks are whole words, so that their numbers are aligned. */
export const WORD_BYTES = 8;

/** The low bits of an address count words in a segment, the high bits segments. */
const OFFSET_BITS = 19;
const OFFSET_MASK = (1 << OFFSET_BITS) - 1;

/** A shared segment is the first 4 MiB of a chunk. */
const SEGMENT_WORDS = 1 << OFFSET_BITS;

/** A block of more than 512 KiB has a segment to itself, which goes with it: it is never moved. */
const SHARED_BLOCK_WORDS_MAX = SEGMENT_WORDS / 8;

/** The first word of a segment stays unused, so that no block has the address 0. */
const FIRST_WORD = 1;

/**
 * Where a block starts, in words: a whole number of 32 bits, so that 32 GiB can be addressed.
 * 0 is no address.
 */
export type BlockAddress = number;

/** A piece of memory, seen as the kinds of numbers that are kept in it. */
export class Segment {
  readonly memory: ArrayBuffer;
  /** Whether it is for many blocks, not for a single large one. */
  readonly isShared: boolean;
  readonly bytes: Buffer;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
  readonly u64: BigUint64Array;
  /** Words from the start that hold blocks, live or dead; the next block goes there. */
  usedWords = FIRST_WORD;
  /** Words of live blocks. */
  liveWords = 0;

  constructor(memory: ArrayBuffer, isShared: boolean) {
    this.memory = memory;
    this.isShared = isShared;
    this.bytes = Buffer.from(memory);
    this.u32 = new Uint32Array(memory);
    this.f64 = new Float64Array(memory);
    this.u64 = new BigUint64Array(memory);
  }

  get garbageWords(): number {
    return this.usedWords - FIRST_WORD - this.liveWords;
  }
}

/**
 * An append-only log of blocks in segments. A freed block becomes garbage, which is only won back
 * with its whole segment: at once when nothing in the segment lives, else by moving what does.
 * The first number (u32) of a block is its size in words, which makes a segment walkable.
 */
export class Arena {
  readonly #segments: (Segment | undefined)[] = [];
  readonly #unusedNumbers: number[] = [];
  /** The number of the segment that blocks are appended to; -1 if there is none. */
  #open = -1;
  #pinned = -1;
  /** An empty segment that is kept for the next use: fetching pages from the system takes time. */
  #spare: Segment | undefined;
  #liveWords = 0;
  #garbageWords = 0;

  /** Bytes of live blocks. */
  get liveBytes(): number {
    return this.#liveWords * WORD_BYTES;
  }

  /** Bytes of dead blocks in segments where others live. */
  get garbageBytes(): number {
    return this.#garbageWords * WORD_BYTES;
  }

  segmentOf(address: BlockAddress): Segment {
    return this.#segments[address >>> OFFSET_BITS] as Segment;
  }

  /**
   * Appends a live block of `words` words and notes its size; 0 if there is no memory for it. The last
   * segment is only for a block that `isMoved`, so that compaction can go on where all are in use.
   */
  allocate(words: number, isMoved = false): BlockAddress {
    const number = this.#segmentFor(words, isMoved ? 0 : 1);
    const segment = this.#segments[number];
    if (segment === undefined) return 0;
    const offset = segment.usedWords;
    segment.usedWords += words;
    segment.liveWords += words;
    this.#liveWords += words;
    segment.u32[offset * 2] = words;
    return addressOf(number, offset);
  }

  /** Turns a live block into garbage. Its memory may be gone when this returns. */
  free(address: BlockAddress): void {
    const number = address >>> OFFSET_BITS;
    const segment = this.segmentOf(address);
    const words = segment.u32[offsetOf(address) * 2] as number;
    segment.liveWords -= words;
    this.#liveWords -= words;
    this.#garbageWords += words;
    this.#releaseIfDead(number);
  }

  /**
   * Pins the segment with the most garbage, so that it can be walked while its blocks are freed; no
   * more are appended to it. At most one segment is pinned.
   *
   * @returns the address of its first block; 0 if no segment has garbage.
   */
  pinMostGarbage(): BlockAddress {
    let most = 0;
    for (const [number, segment] of this.segments()) {
      if (segment.garbageWords <= most) continue;
      most = segment.garbageWords;
      this.#pinned = number;
    }
    if (this.#pinned === this.#open) this.#open = -1;
    return this.#pinned < 0 ? 0 : addressOf(this.#pinned, FIRST_WORD);
  }

  /** Ends the walk through the pinned segment. */
  unpin(): void {
    const number = this.#pinned;
    this.#pinned = -1;
    this.#releaseIfDead(number);
  }

  /** The address of the first block of a segment; 0 if it has none. */
  firstBlock(number: number): BlockAddress {
    const segment = this.#segments[number];
    return segment === undefined || segment.usedWords === FIRST_WORD
      ? 0
      : addressOf(number, FIRST_WORD);
  }

  /** The address of the block after this one in the same segment; 0 after the last. */
  nextBlock(address: BlockAddress): BlockAddress {
    const segment = this.segmentOf(address);
    const offset = offsetOf(address);
    const next = offset + (segment.u32[offset * 2] as number);
    return next < segment.usedWords ? addressOf(address >>> OFFSET_BITS, next) : 0;
  }

  /** The segments in use, by number. */
  *segments(): Generator<[number, Segment]> {
    for (const [number, segment] of this.#segments.entries()) {
      if (segment !== undefined) yield [number, segment];
    }
  }

  /**
   * The number of a segment that has room for a block; -1 if there is no memory for one, or none without
   * taking one of the last `reserved` segments.
   */
  #segmentFor(words: number, reserved: number): number {
    if (words > SHARED_BLOCK_WORDS_MAX) {
      const sizeBytes = (FIRST_WORD + words) * WORD_BYTES;
      return this.#add(reserved, () => segmentIn(allocateExactly(sizeBytes), false));
    }
    const open = this.#segments[this.#open];
    if (open !== undefined && open.usedWords + words <= SEGMENT_WORDS) return this.#open;
    const added = this.#add(reserved, () => this.#takeSpare() ?? segmentIn(allocateChunk(), true));
    if (added >= 0) this.#open = added;
    return added;
  }

  #add(reserved: number, make: () => Segment | undefined): number {
    const number = this.#unusedNumbers.at(-1) ?? this.#segments.length;
    const left = ADDRESSABLE_SEGMENTS - this.#segments.length + this.#unusedNumbers.length;
    const segment = left > reserved ? make() : undefined;
    if (segment === undefined) return -1;
    this.#unusedNumbers.pop();
    this.#segments[number] = segment;
    return number;
  }

  #takeSpare(): Segment | undefined {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare;
  }

  #releaseIfDead(number: number): void {
    const segment = this.#segments[number];
    if (segment === undefined || segment.liveWords > 0 || number === this.#pinned) return;
    this.#garbageWords -= segment.garbageWords;
    segment.usedWords = FIRST_WORD;
    if (number === this.#open) return;
    this.#segments[number] = undefined;
    this.#unusedNumbers.push(number);
    if (segment.isShared && this.#spare === undefined) this.#spare = segment;
    else freeMemory(segment.memory);
  }
}

function segmentIn(memory: ArrayBuffer | undefined, isShared: boolean): Segment | undefined {
  return memory && new Segment(memory, isShared);
}

/** The offset of a block in its segment, in words. */
export function offsetOf(address: BlockAddress): number {
  return address & OFFSET_MASK;
}

function addressOf(number: number, offset: number): BlockAddress {
  return ((number << OFFSET_BITS) | offset) >>> 0;
}
