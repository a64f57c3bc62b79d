/** A budget: a bound on the bytes that many things hold together. */

export class Budget {
  readonly #maxBytes: number;
  #takenBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** What is taken at present. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** Whether nothing more is to be had. */
  get isSpent(): boolean {
    return this.#takenBytes >= this.#maxBytes;
  }

  /** Takes `bytes` if there are as many left; says whether there were. */
  take(bytes: number): boolean {
    if (this.#takenBytes + bytes > this.#maxBytes) return false;
    this.#takenBytes += bytes;
    return true;
  }

  /** Takes `bytes` whether they are left or not: for what is there already. */
  hold(bytes: number): void {
    this.#takenBytes += bytes;
  }

  /** Gives back what was taken. */
  give(bytes: number): void {
    this.#takenBytes -= bytes;
  }
}
