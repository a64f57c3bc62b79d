/**
 * Parts: how a frame that is large travels in pieces, so that small ones go between them. A part is a
 * frame whose number says of which large one it is, and whose body is the next of the bytes of that.
 */

import type { Budget } from '../base/budget.ts';
import { LARGE_FRAMES_AT_ONCE, PART_BYTES_MAX } from '../base/limits.ts';
import { HEADER_BYTES, partHeader, ProtocolError, readLargeHeader, type Frame } from './frame.ts';

/** A large frame that is being sent. */
interface Outgoing {
  readonly number: number;
  /** The number of the frame itself. */
  readonly id: number;
  readonly bytes: Buffer;
  sentBytes: number;
}

/** Cuts large frames into parts. A few are sent in turn, and so at the same time; the others wait. */
export class PartWriter {
  readonly #waiting: Outgoing[] = [];
  readonly #budget: Budget;
  readonly #atOnce: number;
  #lastNumber = 0;
  #unsentBytes = 0;

  /** `budget` bounds what all writers that share it hold; `atOnce` frames are sent in turn. */
  constructor(budget: Budget, atOnce = LARGE_FRAMES_AT_ONCE) {
    this.#budget = budget;
    this.#atOnce = atOnce;
  }

  /** Bytes that wait to be sent. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** Takes in a whole frame of the number `id`. */
  add(id: number, bytes: Buffer): void {
    this.#lastNumber = (this.#lastNumber + 1) >>> 0;
    this.#waiting.push({ number: this.#lastNumber, id, bytes, sentBytes: 0 });
    this.#unsentBytes += bytes.length;
    this.#budget.hold(bytes.length);
  }

  /** The next part, to be sent now, and of which frame it is; undefined if nothing waits. */
  next(): { readonly id: number; readonly buffers: readonly Buffer[] } | undefined {
    const frame = this.#waiting.shift();
    if (frame === undefined) return undefined;
    const start = frame.sentBytes;
    const part = frame.bytes.subarray(start, start + PART_BYTES_MAX);
    frame.sentBytes += part.length;
    this.#release(part.length);
    if (frame.sentBytes < frame.bytes.length) {
      this.#waiting.splice(this.#atOnce - 1, 0, frame);
    }
    return { id: frame.id, buffers: [partHeader(frame.number, part.length), part] };
  }

  /** Gives up what waits. */
  close(): void {
    this.#waiting.length = 0;
    this.#release(this.#unsentBytes);
  }

  #release(bytes: number): void {
    this.#unsentBytes -= bytes;
    this.#budget.give(bytes);
  }
}

/** A large frame that is being received. */
interface Incoming {
  readonly frame: Frame;
  /** Header and body. */
  readonly totalBytes: number;
  receivedBytes: number;
}

/** Puts large frames together again. */
export class PartReader {
  readonly #incoming = new Map<number, Incoming>();
  readonly #budget: Budget;

  /** `budget` bounds what all readers that share it hold. */
  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /**
   * Takes in a part; returns the frame that it is of, and whether that is whole now. Of a frame for
   * which there was no room the body is thrown away, and it says so.
   *
   * @throws ProtocolError if it cannot be a part of anything.
   */
  take(part: Frame): { readonly frame: Frame; readonly isWhole: boolean } {
    const incoming = this.#incoming.get(part.id) ?? this.#begin(part);
    const { frame, totalBytes, receivedBytes } = incoming;
    const bytes = part.end - part.start;
    if (bytes === 0 || receivedBytes + bytes > totalBytes) {
      throw new ProtocolError('a part beyond the end of its frame');
    }
    if (frame.isDropped !== true) {
      // The header has been read, and is not part of the body.
      const skipped = receivedBytes === 0 ? HEADER_BYTES : 0;
      const at = receivedBytes + skipped - HEADER_BYTES;
      part.bytes.copy(frame.bytes, at, part.start + skipped, part.end);
    }
    incoming.receivedBytes += bytes;
    const isWhole = incoming.receivedBytes === totalBytes;
    if (isWhole) this.#end(part.id, incoming);
    return { frame, isWhole };
  }

  /** Gives up what has not come whole. */
  close(): void {
    for (const [number, incoming] of this.#incoming) this.#end(number, incoming);
  }

  #begin(part: Frame): Incoming {
    if (this.#incoming.size === LARGE_FRAMES_AT_ONCE) {
      throw new ProtocolError('too many large frames at once');
    }
    const { kind, id, bodyBytes } = readLargeHeader(part);
    const isDropped = !this.#budget.take(bodyBytes);
    const end = isDropped ? 0 : bodyBytes;
    const frame = { kind, id, bytes: Buffer.allocUnsafeSlow(end), start: 0, end, isDropped };
    const incoming = { frame, totalBytes: HEADER_BYTES + bodyBytes, receivedBytes: 0 };
    this.#incoming.set(part.id, incoming);
    return incoming;
  }

  #end(number: number, { frame }: Incoming): void {
    this.#incoming.delete(number);
    this.#budget.give(frame.end);
  }
}
