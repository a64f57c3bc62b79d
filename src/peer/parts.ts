/**
 * Parts: how a frame that is large travels in pieces, so that small ones go between them. A part is a
 * frame whose number says of which large one it is, and whose body is the next of the bytes of that.
 */

import type { Budget } from '../base/budget.ts';
import type { Lease } from '../base/lease.ts';
import { LARGE_FRAMES_AT_ONCE, PART_BYTES_MAX } from '../base/limits.ts';
import { HEADER_BYTES, partHeader, ProtocolError, readLargeHeader, type Frame } from './frame.ts';

/** A large frame that is being sent. */
interface Outgoing {
  readonly number: number;
  /** The number of the frame itself. */
  readonly id: number;
  /** What is left of it. */
  readonly buffers: Buffer[];
  readonly lease: Lease | undefined;
}

/** A part, to be sent now. */
interface OutgoingPart {
  /** The number of its frame. */
  readonly id: number;
  readonly buffers: readonly Buffer[];
  /** Set for the last part, if bytes of the frame are lent: to be released when it has left. */
  readonly lease: Lease | undefined;
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

  /** Takes in a whole frame of the number `id`, which may refer to bytes that are lent. */
  add(id: number, buffers: readonly Buffer[], lease?: Lease): void {
    this.#lastNumber = (this.#lastNumber + 1) >>> 0;
    this.#waiting.push({ number: this.#lastNumber, id, buffers: [...buffers], lease });
    const bytes = buffers.reduce((sum, { length }) => sum + length, 0);
    this.#unsentBytes += bytes;
    this.#budget.hold(bytes);
  }

  /** The next part; undefined if nothing waits. */
  next(): OutgoingPart | undefined {
    const frame = this.#waiting.shift();
    if (frame === undefined) return undefined;
    const { number, id, buffers, lease } = frame;
    const [part, bytes] = takeFirst(buffers, PART_BYTES_MAX);
    this.#give(bytes);
    const isLast = buffers.length === 0;
    if (!isLast) this.#waiting.splice(this.#atOnce - 1, 0, frame);
    return { id, buffers: [partHeader(number, bytes), ...part], lease: isLast ? lease : undefined };
  }

  /** Gives up what waits; returns the leases of it. */
  close(): Lease[] {
    const frames = this.#waiting.splice(0);
    this.#give(this.#unsentBytes);
    return frames.flatMap(({ lease }) => lease ?? []);
  }

  #give(bytes: number): void {
    this.#unsentBytes -= bytes;
    this.#budget.give(bytes);
  }
}

/** Takes at most `maxBytes` from the front of some buffers; says how many they are. */
function takeFirst(buffers: Buffer[], maxBytes: number): [Buffer[], number] {
  const taken: Buffer[] = [];
  let bytes = 0;
  while (bytes < maxBytes) {
    const first = buffers.shift();
    if (first === undefined) break;
    const piece = first.subarray(0, maxBytes - bytes);
    if (piece.length < first.length) buffers.unshift(first.subarray(piece.length));
    taken.push(piece);
    bytes += piece.length;
  }
  return [taken, bytes];
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
