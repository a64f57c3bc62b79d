/** A body that arrives in more than one read: one buffer that grows with it, within a budget. */

import { failure, type Failure } from '../base/errors.ts';
import type { BodyBudget } from './budget.ts';

/** The first buffer of a body; the length that a client announces is no reason to take more. */
const FIRST_BYTES = 16 * 1024;

/** How much larger the next buffer is. */
const GROWTH = 4;

export class ArrivingBody {
  readonly #budget: BodyBudget;
  readonly #maxBytes: number;
  readonly #announcedBytes: number;
  #buffer: Buffer = Buffer.alloc(0);
  #bytes = 0;

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
    if (bytes > this.#buffer.length && !this.#grow(bytes)) {
      return failure('OVERLOADED', 'too many bodies are arriving at the same time');
    }
    this.#buffer.set(piece, this.#bytes);
    this.#bytes = bytes;
    return undefined;
  }

  /** The whole body. */
  finish(): Buffer {
    const body = this.#buffer.subarray(0, this.#bytes);
    this.free();
    return body;
  }

  /** Gives back what the budget lent; harmless when called twice. */
  free(): void {
    this.#budget.free(this.#buffer.length);
    this.#buffer = Buffer.alloc(0);
  }

  #grow(bytes: number): boolean {
    const roomBytes = Math.max(bytes, FIRST_BYTES, GROWTH * this.#buffer.length);
    const newBytes = Math.max(bytes, Math.min(roomBytes, this.#announcedBytes));
    if (!this.#budget.grow(this.#buffer.length, newBytes)) return false;
    const buffer = Buffer.allocUnsafeSlow(newBytes);
    buffer.set(this.#buffer.subarray(0, this.#bytes));
    this.#buffer = buffer;
    return true;
  }
}

/** The failure of a body that has, or is announced to have, more than it may. */
export function bodyTooLarge(maxBytes: number): Failure {
  return failure('BODY_TOO_LARGE', `a body has at most ${maxBytes} bytes`);
}
