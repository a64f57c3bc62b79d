/** Records as blocks of memory: where each field of a record lies, and how to read and write it. */

import type { Steps } from '../../base/json/scan.ts';
import type { Key } from '../../base/key.ts';
import type { Lease } from '../../base/lease.ts';
import { copyView, VIEW_COPY_MAX } from '../../base/view.ts';
import type { KeylessState } from '../../record/change.ts';
import type { Glimpse } from '../../record/glimpse.ts';
import type { Meta, ByteRange, KeptBytes } from '../../record/reply.ts';
import type { PackedKey, SoughtKey } from '../keys/packed-key.ts';
import { offsetOf, WORD_BYTES, type Arena, type BlockAddress, type Segment } from './arena.ts';

// A record is a header, the bytes of the key and the bytes of the value:
//
//   word 0   size in words (u32) · index (u32)
//   word 1   bytes of the value (u32) · bytes of the key, partition and flags (u32)
//   word 2   created (f64)
//   word 3   updated (f64)
//   word 4   accessed (f64)
//   word 5   time to live (u64) ............................ only in a record that expires
//   word 6   deadline (f64) ................................ only in a record that expires
//   word 7   the links of its list in the expiry wheel ..... only in a record that expires
//
// Times are microseconds since the Unix epoch, the time to live is nanoseconds. The deadline does not
// follow from both: a record that came from another node lives for the time that it had left. Numbers are
// little-endian, as on every machine that Node.js is at home on.

const INDEX_U32 = 1;
const VALUE_BYTES_U32 = 2;
const SHAPE_U32 = 3;
const CREATED_F64 = 2;
const UPDATED_F64 = 3;
const ACCESSED_F64 = 4;
const TTL_U64 = 5;
const DEADLINE_F64 = 6;
const PREVIOUS_U32 = 14;
const NEXT_U32 = 15;

const HEADER_WORDS = 5;
const EXPIRING_HEADER_WORDS = 8;

// The shape: 13 bits of key length, 16 of partition, and two flags.
const KEY_BYTES_MASK = 0x1fff;
const PARTITION_SHIFT = 13;
const PARTITION_MASK = 0xffff;
const EXPIRES = 1 << 29;
const DEAD = 1 << 30;

/** Bytes of a large value that are copied in one piece, into memory that the system has to fetch first. */
const PIECE_BYTES = 128 * 1024;

/** A large value that lies already where its record is going to be. */
export interface Draft {
  readonly segment: Segment;
  readonly words: number;
  /** Whether a record was made of it. */
  isUsed: boolean;
}

/** A record that is to be written. */
export interface NewRecord extends KeylessState {
  /** Its value as a draft. */
  readonly draft?: Draft | undefined;
}

/** The record at an address, read and written in place. */
export class Records {
  readonly #arena: Arena;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Writes a new record; 0 if there is no memory for it. */
  create({ packed, partition }: SoughtKey, record: NewRecord): BlockAddress {
    const { meta, value, draft } = record;
    const expires = meta.ttlNs !== 0n;
    const words = recordWords(packed.length, valueBytes(value), expires);
    // A record that is going to expire, or no longer is, has another layout, and another size.
    const isThere = draft?.words === words;
    const address = isThere
      ? this.#arena.allocateDraft(draft.segment, words)
      : this.#arena.allocate(words);
    if (address === 0) return 0;
    const segment = this.#arena.segmentOf(address);
    const at = offsetOf(address);
    const shape = packed.length | (partition << PARTITION_SHIFT) | (expires ? EXPIRES : 0);
    segment.u32[at * 2 + SHAPE_U32] = shape;
    packed.write(segment.u32, keyStartOf(at, shape) >>> 2);
    writeState(segment, at, record, isThere);
    if (isThere) {
      draft.isUsed = true;
      // The last word of the key has taken the first bytes of the value.
      const { start } = this.value(address);
      value.bytes.copy(segment.bytes, start, value.start, Math.min(value.end, value.start + 4));
    }
    return address;
  }

  /**
   * Copies the new value of a record, or of a key of `keyBytes` that has none, to where it can stay, a
   * piece at a time. Undefined where it will not stay in memory of its own, or there is none.
   */
  *draft(
    address: BlockAddress,
    keyBytes: number,
    value: ByteRange,
    expires: boolean,
  ): Steps<Draft | undefined> {
    if (address !== 0 && this.fits(address, value, expires) && !this.#arena.isLent(address)) {
      return undefined;
    }
    const words = recordWords(keyBytes, valueBytes(value), expires);
    const segment = this.#arena.draft(words);
    if (segment === undefined) return undefined;
    const draft = { segment, words, isUsed: false };
    let isDone = false;
    try {
      let to = (1 + headerWords(expires)) * WORD_BYTES + keyBytes;
      for (let from = value.start; from < value.end; from += PIECE_BYTES) {
        to += value.bytes.copy(segment.bytes, to, from, Math.min(value.end, from + PIECE_BYTES));
        yield;
      }
      isDone = true;
      return draft;
    } finally {
      if (!isDone) this.dropDraft(draft);
    }
  }

  /** Gives a draft back, unless it was used. */
  dropDraft({ segment, isUsed }: Draft): void {
    if (!isUsed) this.#arena.dropDraft(segment);
  }

  /**
   * Writes a new value over the old one, if it fits without wasting half of the block.
   *
   * @returns whether it did; if not, nothing has changed.
   */
  overwrite(address: BlockAddress, record: KeylessState): boolean {
    const { meta, value } = record;
    if (!this.fits(address, value, meta.ttlNs !== 0n)) return false;
    const segment = this.#arena.segmentOf(address);
    // What lies in there can only be the very value of the record.
    const isThere = value.bytes === segment.bytes;
    if (!isThere && this.#arena.isLent(address)) return false;
    writeState(segment, offsetOf(address), record, isThere);
    return true;
  }

  /** Whether a value fits into the block of a record, without wasting half of it. */
  fits(address: BlockAddress, value: ByteRange, expires: boolean): boolean {
    const segment = this.#arena.segmentOf(address);
    const at = offsetOf(address);
    const shape = shapeOf(segment, at);
    if (expires !== ((shape & EXPIRES) !== 0)) return false;
    const needed = recordWords(shape & KEY_BYTES_MASK, valueBytes(value), expires);
    const size = segment.u32[at * 2] as number;
    return needed <= size && needed * 2 >= size;
  }

  /** A range of a value as bytes that stay, where the record has its memory to itself. */
  lend(address: BlockAddress, { bytes, start, end }: ByteRange): ByteRange | KeptBytes {
    const lease = this.lease(address);
    return lease === undefined ? { bytes, start, end } : { bytes, start, end, isKept: true, lease };
  }

  /** Keeps a record as it is for a reader; undefined for one that shares its memory. */
  lease(address: BlockAddress): Lease | undefined {
    return this.#arena.lend(address);
  }

  /** Copies a record to a new block, as it is; 0 if there is no memory for it. */
  copy(from: BlockAddress): BlockAddress {
    const source = this.#arena.segmentOf(from);
    const start = offsetOf(from);
    const words = source.u32[start * 2] as number;
    const address = this.#arena.allocate(words, true);
    if (address === 0) return 0;
    const target = this.#arena.segmentOf(address);
    target.f64.set(source.f64.subarray(start, start + words), offsetOf(address));
    return address;
  }

  /** Frees the block of a record. */
  free(address: BlockAddress): void {
    const segment = this.#arena.segmentOf(address);
    const shapeAt = offsetOf(address) * 2 + SHAPE_U32;
    segment.u32[shapeAt] = (segment.u32[shapeAt] as number) | DEAD;
    this.#arena.free(address);
  }

  isDead(address: BlockAddress): boolean {
    return (this.#shape(address) & DEAD) !== 0;
  }

  expires(address: BlockAddress): boolean {
    return (this.#shape(address) & EXPIRES) !== 0;
  }

  partition(address: BlockAddress): number {
    return (this.#shape(address) >>> PARTITION_SHIFT) & PARTITION_MASK;
  }

  sizeWords(address: BlockAddress): number {
    return this.#arena.segmentOf(address).u32[offsetOf(address) * 2] as number;
  }

  /** Bytes of the key and of the value. */
  lengths(address: BlockAddress): [keyBytes: number, valueBytes: number] {
    const segment = this.#arena.segmentOf(address);
    const at = offsetOf(address);
    return [shapeOf(segment, at) & KEY_BYTES_MASK, segment.u32[at * 2 + VALUE_BYTES_U32] as number];
  }

  key(address: BlockAddress): Key {
    const { bytes } = this.#arena.segmentOf(address);
    const shape = this.#shape(address);
    const start = keyStartOf(offsetOf(address), shape);
    return bytes.toString('latin1', start, start + (shape & KEY_BYTES_MASK)) as Key;
  }

  /** The key, in `to`. */
  readKey(address: BlockAddress, to: PackedKey): PackedKey {
    const { u32 } = this.#arena.segmentOf(address);
    const shape = this.#shape(address);
    return to.read(u32, keyStartOf(offsetOf(address), shape) >>> 2, shape & KEY_BYTES_MASK);
  }

  hasKey(address: BlockAddress, key: PackedKey): boolean {
    const { u32 } = this.#arena.segmentOf(address);
    const at = offsetOf(address);
    const shape = u32[at * 2 + SHAPE_U32] as number;
    return (shape & KEY_BYTES_MASK) === key.length && key.isAt(u32, keyStartOf(at, shape) >>> 2);
  }

  /** The value where it lies: whatever is done next may move or free it. */
  value(address: BlockAddress): ByteRange {
    const segment = this.#arena.segmentOf(address);
    const at = offsetOf(address);
    const shape = shapeOf(segment, at);
    const start = keyStartOf(at, shape) + (shape & KEY_BYTES_MASK);
    const length = segment.u32[at * 2 + VALUE_BYTES_U32] as number;
    return { bytes: segment.bytes, start, end: start + length };
  }

  /** What a load sees of the record, where it lies. */
  glimpse(address: BlockAddress, to: Glimpse): Glimpse {
    const segment = this.#arena.segmentOf(address);
    const at = offsetOf(address);
    const shape = shapeOf(segment, at);
    to.createdAt = segment.f64[at + CREATED_F64] as number;
    to.index = segment.u32[at * 2 + INDEX_U32] as number;
    to.view = segment.view;
    to.start = keyStartOf(at, shape) + (shape & KEY_BYTES_MASK);
    to.end = to.start + (segment.u32[at * 2 + VALUE_BYTES_U32] as number);
    return to;
  }

  meta(address: BlockAddress): Meta {
    const segment = this.#arena.segmentOf(address);
    const at = offsetOf(address);
    return {
      index: segment.u32[at * 2 + INDEX_U32] as number,
      ttlNs: shapeOf(segment, at) & EXPIRES ? (segment.u64[at + TTL_U64] as bigint) : 0n,
      accessedAt: segment.f64[at + ACCESSED_F64] as number,
      createdAt: segment.f64[at + CREATED_F64] as number,
      updatedAt: segment.f64[at + UPDATED_F64] as number,
    };
  }

  /** When the record expires; `Infinity` for one that stays. */
  deadline(address: BlockAddress): number {
    const segment = this.#arena.segmentOf(address);
    const at = offsetOf(address);
    const isExpiring = (shapeOf(segment, at) & EXPIRES) !== 0;
    return isExpiring ? (segment.f64[at + DEADLINE_F64] as number) : Infinity;
  }

  touch(address: BlockAddress, now: number): void {
    this.#arena.segmentOf(address).f64[offsetOf(address) + ACCESSED_F64] = now;
  }

  /** When the record was last stored or read. */
  lastUse(address: BlockAddress): number {
    const { f64 } = this.#arena.segmentOf(address);
    const at = offsetOf(address);
    return Math.max(f64[at + UPDATED_F64] as number, f64[at + ACCESSED_F64] as number);
  }

  /** The record before this one in its list of the expiry wheel; 0 for the first. */
  previous(address: BlockAddress): BlockAddress {
    return this.#link(address, PREVIOUS_U32);
  }

  /** The record after this one in its list of the expiry wheel; 0 for the last. */
  next(address: BlockAddress): BlockAddress {
    return this.#link(address, NEXT_U32);
  }

  setPrevious(address: BlockAddress, previous: BlockAddress): void {
    this.#arena.segmentOf(address).u32[offsetOf(address) * 2 + PREVIOUS_U32] = previous;
  }

  setNext(address: BlockAddress, next: BlockAddress): void {
    this.#arena.segmentOf(address).u32[offsetOf(address) * 2 + NEXT_U32] = next;
  }

  #link(address: BlockAddress, field: number): BlockAddress {
    return this.#arena.segmentOf(address).u32[offsetOf(address) * 2 + field] as number;
  }

  #shape(address: BlockAddress): number {
    return shapeOf(this.#arena.segmentOf(address), offsetOf(address));
  }
}

/** The size of a record's block. */
export function recordWords(keyBytes: number, valueSize: number, expires: boolean): number {
  return headerWords(expires) + Math.ceil((keyBytes + valueSize) / WORD_BYTES);
}

function headerWords(expires: boolean): number {
  return expires ? EXPIRING_HEADER_WORDS : HEADER_WORDS;
}

function valueBytes(value: ByteRange): number {
  return value.end - value.start;
}

function shapeOf(segment: Segment, at: number): number {
  return segment.u32[at * 2 + SHAPE_U32] as number;
}

function keyStartOf(at: number, shape: number): number {
  return (at + headerWords((shape & EXPIRES) !== 0)) * WORD_BYTES;
}

/** Writes all but the key, what never changes, and the value if that is there. */
function writeState(
  segment: Segment,
  at: number,
  { meta, value, deadline }: KeylessState,
  isThere: boolean,
): void {
  const shape = shapeOf(segment, at);
  segment.u32[at * 2 + INDEX_U32] = meta.index;
  segment.u32[at * 2 + VALUE_BYTES_U32] = valueBytes(value);
  segment.f64[at + CREATED_F64] = meta.createdAt;
  segment.f64[at + UPDATED_F64] = meta.updatedAt;
  segment.f64[at + ACCESSED_F64] = meta.accessedAt;
  if (shape & EXPIRES) {
    segment.u64[at + TTL_U64] = meta.ttlNs;
    segment.f64[at + DEADLINE_F64] = deadline;
  }
  if (isThere) return;
  const start = keyStartOf(at, shape) + (shape & KEY_BYTES_MASK);
  const { bytes, view } = value;
  if (view === undefined || valueBytes(value) > VIEW_COPY_MAX) {
    bytes.copy(segment.bytes, start, value.start, value.end);
  } else copyView(view, value.start, value.end, segment.view, start);
}
