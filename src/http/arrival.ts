/** When the bytes that a connection reads have come, as far as can be told: how long requests have waited. */

export class Arrival {
  /** What is being read came between these times, evenly: both are one unless it waited for others. */
  #fromMs = 0;
  #toMs = 0;
  /** Since when what is read next may have waited, where it did. */
  #waitingSinceMs: number | undefined;

  /** Says that bytes are read in the turn that began then. */
  begin(turnMs: number): void {
    this.#toMs = turnMs;
    this.#fromMs = this.#waitingSinceMs ?? turnMs;
  }

  /** Says that what is being read has waited for nobody until then. */
  beginAnew(turnMs: number): void {
    this.#fromMs = this.#toMs = turnMs;
  }

  /**
   * Says that all is read, and that more came while it waited: after it or, where `isAll` is false because
   * one read could not take all, with it.
   */
  end(isAll: boolean): void {
    this.#waitingSinceMs = isAll ? this.#toMs : this.#fromMs;
  }

  /** Says that nothing waits any more. */
  rest(): void {
    this.#waitingSinceMs = undefined;
  }

  /** Whether what is being read has waited since before it was read. */
  get hasWaited(): boolean {
    return this.#fromMs < this.#toMs;
  }

  /** When what lies behind this share of the bytes came. */
  atMs(share: number): number {
    return this.#fromMs + (this.#toMs - this.#fromMs) * share;
  }
}
