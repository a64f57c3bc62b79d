/** Budgets: memory that the connections of a server share, so that no client takes all of it. */

import {
  BODIES_IN_FLIGHT_BYTES_MAX,
  SMALL_BODIES_BYTES_MIN,
  SMALL_BODY_BYTES_MAX,
  UNREAD_BYTES_MAX,
} from '../base/limits.ts';

/** Memory for bodies on their way. Large ones leave some of it to small ones. */
export class BodyBudget {
  #usedBytes = 0;

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Lets the buffer of a body grow; false if there is no room for that. */
  grow(fromBytes: number, toBytes: number): boolean {
    const isSmall = toBytes <= SMALL_BODY_BYTES_MAX;
    const max = BODIES_IN_FLIGHT_BYTES_MAX - (isSmall ? 0 : SMALL_BODIES_BYTES_MIN);
    const usedBytes = this.#usedBytes + toBytes - fromBytes;
    if (usedBytes > max) return false;
    this.#usedBytes = usedBytes;
    return true;
  }

  free(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/** Who has an answer that waits for its client. */
export interface Debtor {
  /** Gives up the client. */
  destroy(): void;
}

/** Memory for answers that clients have not read. Past it whoever has read nothing for longest goes. */
export class UnreadBudget {
  /** In the order of their last progress. */
  readonly #unread = new Map<Debtor, number>();
  #usedBytes = 0;

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Notes how much waits for a client that has just read some, or just got more to read. */
  set(debtor: Debtor, bytes: number): void {
    this.clear(debtor);
    if (bytes === 0) return;
    this.#unread.set(debtor, bytes);
    this.#usedBytes += bytes;
    for (const [slowest] of this.#unread) {
      if (this.#usedBytes <= UNREAD_BYTES_MAX) return;
      this.clear(slowest);
      slowest.destroy();
    }
  }

  clear(debtor: Debtor): void {
    const bytes = this.#unread.get(debtor);
    if (bytes === undefined) return;
    this.#unread.delete(debtor);
    this.#usedBytes -= bytes;
  }
}
