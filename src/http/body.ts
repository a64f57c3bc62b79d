/** A body that arrives in more than one read: one buffer that grows with it, within a budget. */

import { failure, type Failure } from '../base/errors.ts';
import { freeMemory } from '../base/free-memory.ts';
import { mappedMemory } from '../base/mapped-memory.ts';
import type { BodyBudget } from './budget.ts';

/** The first buffer of a body; the length that a client announces is no reason to take more. */
const FIRST_BYTES = 16 * 1024;

/** How much larger the next buffer is. */
const GROWTH = 4;

/**
 * Past this a buffer has room for the whole body: a larger one takes long to copy, and its pages take
 * memory only when they are written. They are counted in steps of so many bytes.
 */
const GROWN_BYTES = 1024 * 1024;
const STEP_BYTES = 256 * 1024;

/**
 * A larger buffer is mapped, so that the system has all of it back when it is freed. Its pages are fetched anew
 * for each body: a PUT of 1.5 MiB took a sixth longer so, one of 4 MiB a twentieth.
 */
const UNMAPPED_BYTES = 4 * 1024 * 1024;

const EMPTY: Buffer = Buffer.alloc(0);

/** Memory for a body; undefined if there is none. */
function newBuffer(bytes: number): Buffer | undefined {
  if (bytes <= UNMAPPED_BYTES) return Buffer.allocUnsafeSlow(bytes);
  const memory = mappedMemory(bytes);
  return memory && Buffer.from(memory, 0, bytes);
}

/** Frees a large buffer that nobody was given: garbage is collected when much of it is there. */
function freeBuffer({ buffer }: Buffer): void {
  if (buffer.byteLength >= STEP_BYTES) freeMemory(buffer as ArrayBuffer);
}

export class ArrivingBody {
  readonly #budget: BodyBudget;
  readonly #maxBytes: number;
  readonly #announcedBytes: number;
  #buffer = EMPTY;
  #bytes = 0;
  #isWhole = false;
  /** What is taken of the budget. */
  #takenBytes = 0;

  /** `announcedBytes` is the length, or the largest possible where the client does not tell. */
  constructor(budget: BodyBudget, maxBytes: number, announcedBytes: number) {
    this.#budget = budget;
    this.#maxBytes = maxBytes;
    this.#announcedBytes = Math.min(announcedBytes, maxBytes);
  }

  /** Copies what has arrived; the failure if it is too much. */
  add(piece: Buffer): Failure | undefined {
    const bytes = this.#bytes + piece.length;
    if (bytes > this.#maxBytes) return bodyTooLarge(this.#maxBytes);
    if (bytes > this.#takenBytes && !this.#grow(bytes)) {
      return failure('OVERLOADED', 'too many bodies are arriving at the same time');
    }
    this.#buffer.set(piece, this.#bytes);
    this.#bytes = bytes;
    return undefined;
  }

  /** The whole body, which stays. */
  finish(): Buffer {
    this.#isWhole = true;
    return this.#buffer.subarray(0, this.#bytes);
  }

  /** Whether some bytes lie in this body. */
  has({ buffer }: Uint8Array): boolean {
    return buffer === this.#buffer.buffer;
  }

  /** Frees a whole body that nobody looks at any more. */
  release(): void {
    this.#isWhole = false;
    this.free();
  }

  /** Gives back what the budget lent; harmless when called twice. */
  free(): void {
    this.#budget.free(this.#takenBytes);
    this.#takenBytes = 0;
    if (!this.#isWhole) freeBuffer(this.#buffer);
    this.#buffer = EMPTY;
  }

  #grow(bytes: number): boolean {
    const newBytes = this.#roomFor(bytes);
    const steps = Math.ceil(bytes / STEP_BYTES);
    const takenBytes = Math.min(newBytes, steps * STEP_BYTES);
    if (!this.#budget.grow(this.#takenBytes, takenBytes)) return false;
    this.#takenBytes = takenBytes;
    if (newBytes === this.#buffer.length) return true;
    const buffer = newBuffer(newBytes);
    if (buffer === undefined) return false;
    buffer.set(this.#buffer.subarray(0, this.#bytes));
    freeBuffer(this.#buffer);
    this.#buffer = buffer;
    return true;
  }

  /** The length of a buffer for so many bytes of this body. */
  #roomFor(bytes: number): number {
    if (bytes <= this.#buffer.length) return this.#buffer.length;
    const roomBytes = Math.max(bytes, FIRST_BYTES, GROWTH * this.#buffer.length);
    if (roomBytes > GROWN_BYTES) return Math.max(bytes, this.#announcedBytes);
    return Math.max(bytes, Math.min(roomBytes, this.#announcedBytes));
  }
}

/** The failure of a body that has, or is announced to have, more than it may. */
export function bodyTooLarge(maxBytes: number): Failure {
  return failure('BODY_TOO_LARGE', `a body has at most ${maxBytes} bytes`);
}
