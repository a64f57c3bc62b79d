/** Text in the making, as the bytes that go out: no string is made of its pieces. */

/** Buffers of this size are used again. */
const SPARE_BYTES = 128 * 1024;
const SPARE_MAX = 4;
const spare: Buffer[] = [];

/** Up to this many bytes a loop copies faster than a call does. */
const LOOP_BYTES_MAX = 96;

export class TextBuffer {
  #bytes = spare.pop() ?? Buffer.allocUnsafeSlow(SPARE_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was added, valid until more is. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what was added. */
  clear(): void {
    this.#length = 0;
  }

  /** Gives its memory to others: nothing may be added any more. */
  free(): void {
    if (this.#bytes.length === SPARE_BYTES && spare.length < SPARE_MAX) spare.push(this.#bytes);
    this.#bytes = EMPTY;
    this.#length = 0;
  }

  /** Adds text of which each character is one byte. */
  add(text: string): void {
    let at = this.#reserve(text.length);
    const bytes = this.#bytes;
    if (text.length > LOOP_BYTES_MAX) bytes.write(text, at, 'latin1');
    else for (let from = 0; from < text.length; from++) bytes[at++] = text.charCodeAt(from);
  }

  /** Adds the bytes `start` (included) to `end` (excluded) of others. */
  copy(from: Buffer, start: number, end: number): void {
    let at = this.#reserve(end - start);
    const bytes = this.#bytes;
    if (end - start > LOOP_BYTES_MAX) from.copy(bytes, at, start, end);
    else for (let next = start; next < end; next++) bytes[at++] = from[next]!;
  }

  /** Adds a whole number of less than 2^31, not negative, with the digits 0 to 9 and a to z. */
  addBase36(number: number): void {
    let rest = number;
    let digits = 1;
    for (let limit = 36; digits < DIGITS_MAX && rest >= limit; limit *= 36) digits++;
    let at = this.#reserve(digits) + digits;
    const bytes = this.#bytes;
    do {
      const next = (rest / 36) | 0;
      bytes[--at] = DIGITS[rest - next * 36]!;
      rest = next;
    } while (rest > 0);
  }

  /** Makes room for so many bytes and takes it; where it begins. */
  #reserve(count: number): number {
    const at = this.#length;
    this.#length = at + count;
    if (this.#length > this.#bytes.length) this.#grow(at);
    return at;
  }

  #grow(filled: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#length, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, filled);
    this.#bytes = larger;
  }
}

const EMPTY = Buffer.alloc(0);

/** Those of 2^31 - 1. */
const DIGITS_MAX = 6;
const DIGITS = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz');
