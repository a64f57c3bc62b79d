/** Changing text by replacing ranges of it: what lies between them stays byte for byte. */

import type { Steps } from '../base/json/scan.ts';
import type { ByteRange } from './reply.ts';

/** Bytes that are copied in one piece. */
const PIECE_BYTES = 1024 * 1024;

/** Puts `texts`, one after the other, where the bytes from `start` to `end` were. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly texts: readonly ByteRange[];
}

/** The bytes that a text has after some splices. */
export function splicedBytes(text: ByteRange, splices: readonly Splice[]): number {
  let bytes = text.end - text.start;
  for (const { start, end, texts } of splices) {
    bytes += start - end;
    for (const inserted of texts) bytes += inserted.end - inserted.start;
  }
  return bytes;
}

/** A new text: `text` with `splices`, which are in order and do not overlap. */
export function* splice(text: ByteRange, splices: readonly Splice[]): Steps<ByteRange> {
  const to = Buffer.allocUnsafe(splicedBytes(text, splices));
  const parts: ByteRange[] = [];
  let from = text.start;
  for (const { start, end, texts } of splices) {
    parts.push({ bytes: text.bytes, start: from, end: start }, ...texts);
    from = end;
  }
  parts.push({ bytes: text.bytes, start: from, end: text.end });
  let at = 0;
  for (const { bytes, start, end } of parts) {
    for (let piece = start; piece < end; piece += PIECE_BYTES) {
      if (piece > start) yield;
      at += bytes.copy(to, at, piece, Math.min(end, piece + PIECE_BYTES));
    }
  }
  return { bytes: to, start: 0, end: at };
}

/** Text as a range of bytes. */
export function textOf(text: string): ByteRange {
  const bytes = Buffer.from(text);
  return { bytes, start: 0, end: bytes.length };
}

/** The splices that take children out of a list or an object, each with a comma that goes with it. */
export class Removals {
  readonly splices: Splice[] = [];
  /** Whether a child stays that was seen. */
  hasKept = false;
  #previousEnd = 0;
  /** Children that go before the first that stays. */
  #leading: { start: number; end: number } | undefined;

  /** Takes note of the next child, whether it stays or goes. */
  add(start: number, end: number, isGone: boolean): void {
    if (this.#leading !== undefined && !this.hasKept) this.#remove(this.#leading.start, start);
    this.#leading = undefined;
    if (!isGone) this.hasKept = true;
    else if (this.hasKept) this.#remove(this.#previousEnd, end);
    else this.#leading = { start, end };
    this.#previousEnd = end;
  }

  /** All splices, when all children were added. */
  finish(): Splice[] {
    if (this.#leading !== undefined) this.#remove(this.#leading.start, this.#leading.end);
    this.#leading = undefined;
    return this.splices;
  }

  #remove(start: number, end: number): void {
    this.splices.push({ start, end, texts: [] });
  }
}
