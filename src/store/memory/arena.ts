/** Raw memory outside the JavaScript heap: segments that blocks are appended to, and their garbage. */

import { ADDRESSABLE_SEGMENTS } from '../../base/limits.ts';
import type { Lease } from '../../base/lease.ts';
import type { MemorySource } from './chunk.ts';
import { Lending } from './lending.ts';

/** Bytes in a word. Blocks are whole words, so that their numbers are aligned. */
export const WORD_BYTES = 8;

/** The low bits of an address count words in a segment, the high bits segments. */
const OFFSET_BITS = 19;
const OFFSET_MASK = (1 << OFFSET_BITS) - 1;

/** A shared segment is the first 4 MiB of a chunk. */
const SEGMENT_WORDS = 1 << OFFSET_BITS;

/** A block of more than 512 KiB has a segment to itself, which goes with it: it is never moved. */
const SHARED_BLOCK_WORDS_MAX = SEGMENT_WORDS / 8;
export const SHARED_BLOCK_BYTES_MAX = SHARED_BLOCK_WORDS_MAX * WORD_BYTES;

/** The addresses of one segment that there is not are numbers of blocks that have one to themselves. */
const SHARED_SEGMENTS_MAX = ADDRESSABLE_SEGMENTS - 1;
const LARGE_FROM = SHARED_SEGMENTS_MAX * SEGMENT_WORDS;
const LARGE_BLOCKS_MAX = SEGMENT_WORDS;

/** The first word of a segment stays unused, so that no block has the address 0. */
const FIRST_WORD = 1;

/**
 * Where a block starts: segment and word, so that 32 GiB can be addressed with 32 bits, or which of
 * the large blocks it is. 0 is no address.
 */
export type BlockAddress = number;

/** A piece of memory, seen as the kinds of numbers that are kept in it. */
export class Segment {
  readonly memory: ArrayBuffer;
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
  readonly u64: BigUint64Array;
  /** Words from the start that hold blocks, live or dead; the next block goes there. */
  usedWords = FIRST_WORD;
  /** Words of live blocks. */
  liveWords = 0;

  constructor(memory: ArrayBuffer) {
    this.memory = memory;
    this.bytes = Buffer.from(memory);
    this.view = new DataView(memory);
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
  readonly #source: MemorySource;
  readonly #segmentsMax: number;
  /** Segments that blocks share, and those of large blocks; the numbers below them without one. */
  readonly #segments: (Segment | undefined)[] = [];
  readonly #unusedNumbers: number[] = [];
  readonly #large: (Segment | undefined)[] = [];
  readonly #unusedLarge: number[] = [];
  readonly #lending = new Lending((memory) => this.#source.free(memory));
  /** The number of the segment that blocks are appended to; -1 if there is none. */
  #open = -1;
  #pinned = -1;
  /** An empty segment that is kept for the next use: fetching pages from the system takes time. */
  #spare: Segment | undefined;
  #liveWords = 0;
  #garbageWords = 0;

  /** Has at most `segmentsMax` segments that blocks share. */
  constructor(source: MemorySource, segmentsMax = SHARED_SEGMENTS_MAX) {
    this.#source = source;
    this.#segmentsMax = segmentsMax;
  }

  /** Bytes of live blocks. */
  get liveBytes(): number {
    return this.#liveWords * WORD_BYTES;
  }

  /** Bytes of dead blocks in segments where others live. */
  get garbageBytes(): number {
    return this.#garbageWords * WORD_BYTES;
  }

  segmentOf(address: BlockAddress): Segment {
    if (address >= LARGE_FROM) return this.#large[address - LARGE_FROM] as Segment;
    return this.#segments[address >>> OFFSET_BITS] as Segment;
  }

  /**
   * Appends a live block of `words` words and notes its size; 0 if there is no memory for it. The last
   * segment is only for a block that `isMoved`, so that compaction can go on where all are in use.
   */
  allocate(words: number, isMoved = false): BlockAddress {
    const isLarge = words > SHARED_BLOCK_WORDS_MAX;
    const address = isLarge ? this.#addLarge(this.draft(words)) : this.#placeFor(words, isMoved);
    return this.#use(address, words);
  }

  /**
   * Memory for a block that is so large that it gets a segment to itself, to be written before it has an
   * address; undefined for a smaller block, or if there is none.
   */
  draft(words: number): Segment | undefined {
    if (words <= SHARED_BLOCK_WORDS_MAX) return undefined;
    return segmentIn(this.#source.exactly((FIRST_WORD + words) * WORD_BYTES));
  }

  /** Makes a draft a live block; 0 if there is no address for it. */
  allocateDraft(segment: Segment, words: number): BlockAddress {
    return this.#use(this.#addLarge(segment), words);
  }

  /** Gives a draft back. */
  dropDraft(segment: Segment): void {
    this.#source.free(segment.memory);
  }

  /** Keeps the block at an address as it is for a reader; undefined for one that shares its segment. */
  lend(address: BlockAddress): Lease | undefined {
    return address >= LARGE_FROM ? this.#lending.lend(this.segmentOf(address).memory) : undefined;
  }

  /** Whether somebody reads a block, so that it must not be written over. */
  isLent(address: BlockAddress): boolean {
    return address >= LARGE_FROM && this.#lending.isLent(this.segmentOf(address).memory);
  }

  #use(address: BlockAddress, words: number): BlockAddress {
    if (address === 0) return 0;
    const segment = this.segmentOf(address);
    segment.usedWords += words;
    segment.liveWords += words;
    this.#liveWords += words;
    segment.u32[offsetOf(address) * 2] = words;
    return address;
  }

  /** Turns a live block into garbage. Its memory may be gone when this returns. */
  free(address: BlockAddress): void {
    const segment = this.segmentOf(address);
    const words = segment.u32[offsetOf(address) * 2] as number;
    segment.liveWords -= words;
    this.#liveWords -= words;
    if (address >= LARGE_FROM) return this.#dropLarge(address - LARGE_FROM, segment);
    this.#garbageWords += words;
    this.#releaseIfDead(address >>> OFFSET_BITS);
  }

  /**
   * Pins the segment with the most garbage, so that it can be walked while its blocks are freed; no
   * more are appended to it. At most one segment is pinned.
   *
   * @returns the address of its first block; 0 if no segment has garbage.
   */
  pinMostGarbage(): BlockAddress {
    let most = 0;
    for (const [number, segment] of this.#segments.entries()) {
      if (segment === undefined || segment.garbageWords <= most) continue;
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

  /** The address of the block after this one in the same segment; 0 after the last. */
  nextBlock(address: BlockAddress): BlockAddress {
    if (address >= LARGE_FROM) return 0;
    const segment = this.segmentOf(address);
    const offset = offsetOf(address);
    const next = offset + (segment.u32[offset * 2] as number);
    return next < segment.usedWords ? addressOf(address >>> OFFSET_BITS, next) : 0;
  }

  /** The segments in use, each with the address of its first block, 0 where it has none. */
  *segments(): Generator<[first: BlockAddress, Segment]> {
    for (const [number, segment] of this.#segments.entries()) {
      if (segment === undefined) continue;
      yield [segment.usedWords === FIRST_WORD ? 0 : addressOf(number, FIRST_WORD), segment];
    }
    for (const [number, segment] of this.#large.entries()) {
      if (segment !== undefined) yield [LARGE_FROM + number, segment];
    }
  }

  /** Where a block of this size goes that shares a segment; 0 if there is no memory for it. */
  #placeFor(words: number, isMoved: boolean): BlockAddress {
    let segment = this.#segments[this.#open];
    if (segment === undefined || segment.usedWords + words > SEGMENT_WORDS) {
      segment = this.#addShared(isMoved ? 0 : 1);
    }
    return segment === undefined ? 0 : addressOf(this.#open, segment.usedWords);
  }

  /** Opens another segment, without taking one of the last `reserved` ones. */
  #addShared(reserved: number): Segment | undefined {
    const left = this.#segmentsMax - this.#segments.length + this.#unusedNumbers.length;
    if (left <= reserved) return undefined;
    const segment = this.#takeSpare() ?? segmentIn(this.#source.chunk());
    if (segment === undefined) return undefined;
    this.#open = this.#unusedNumbers.pop() ?? this.#segments.length;
    this.#segments[this.#open] = segment;
    return segment;
  }

  /** Takes in a segment for one block. */
  #addLarge(segment: Segment | undefined): BlockAddress {
    const number = this.#unusedLarge.at(-1) ?? this.#large.length;
    if (segment === undefined || number === LARGE_BLOCKS_MAX) return 0;
    this.#unusedLarge.pop();
    this.#large[number] = segment;
    return LARGE_FROM + number;
  }

  #dropLarge(number: number, segment: Segment): void {
    this.#large[number] = undefined;
    this.#unusedLarge.push(number);
    this.#lending.drop(segment.memory);
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
    if (this.#spare === undefined) this.#spare = segment;
    else this.#source.free(segment.memory);
  }
}

function segmentIn(memory: ArrayBuffer | undefined): Segment | undefined {
  return memory && new Segment(memory);
}

/** The offset of a block in its segment, in words. */
export function offsetOf(address: BlockAddress): number {
  return address >= LARGE_FROM ? FIRST_WORD : address & OFFSET_MASK;
}

function addressOf(number: number, offset: number): BlockAddress {
  return ((number << OFFSET_BITS) | offset) >>> 0;
}
