/** Text in the making, as the bytes that go out: no string is made of its pieces. */

import { copyView, VIEW_COPY_MAX, viewOf } from './view.ts';

/** Buffers of this size are used again. */
const SPARE_BYTES = 128 * 1024;
const SPARE_MAX = 4;
const spare: Buffer[] = [];

/** Bytes behind the text that may be written to: what is short is written in words of four. */
const SLACK_BYTES = 3;

/** Text that is added often, in words of four bytes. */
export class Phrase {
  readonly length: number;
  readonly words: Int32Array;

  /** Of a text of which each character is one byte. */
  constructor(text: string) {
    this.length = text.length;
    this.words = new Int32Array(Math.ceil(text.length / 4));
    Buffer.from(this.words.buffer).write(text, 'latin1');
  }
}

export class TextBuffer {
  #bytes = spare.pop() ?? Buffer.allocUnsafeSlow(SPARE_BYTES);
  #view = viewOf(this.#bytes);
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
    const at = this.#reserve(text.length);
    this.#bytes.write(text, at, 'latin1');
  }

  addPhrase({ length, words }: Phrase): void {
    let at = this.#reserve(length);
    const view = this.#view;
    for (let word = 0; word < words.length; word++, at += 4) view.setInt32(at, words[word]!, true);
  }

  /** Adds the bytes `start` (included) to `end` (excluded) of others. */
  copy(from: Buffer, start: number, end: number): void {
    const at = this.#reserve(end - start);
    from.copy(this.#bytes, at, start, end);
  }

  /** As {@link copy}, of bytes of which there is a view: less work for few of them. */
  copyView(from: DataView, start: number, end: number): void {
    if (end - start > VIEW_COPY_MAX) {
      this.copy(Buffer.from(from.buffer, from.byteOffset, from.byteLength), start, end);
    } else {
      const to = this.#reserve(end - start);
      copyView(from, start, end, this.#view, to);
    }
  }

  /** Adds a whole number of less than 2^31, not negative, with the digits 0 to 9 and a to z. */
  addBase36(number: number): void {
    let rest = number;
    let digits = 1;
    for (let limit = 36; digits < DIGITS_MAX && rest >= limit; limit *= 36) digits++;
    let at = this.#reserve(digits) + digits;
    const view = this.#view;
    for (; digits >= 2; digits -= 2) {
      const next = (rest / PAIRS) | 0;
      view.setUint16((at -= 2), DIGIT_PAIRS[rest - next * PAIRS]!, true);
      rest = next;
    }
    if (digits > 0) view.setUint8(at - 1, DIGITS.charCodeAt(rest));
  }

  /** Makes room for so many bytes and takes it; where it begins. */
  #reserve(count: number): number {
    const at = this.#length;
    this.#length = at + count;
    if (this.#length + SLACK_BYTES > this.#bytes.length) this.#grow(at);
    return at;
  }

  #grow(filled: number): void {
    const bytes = Math.max(this.#length + SLACK_BYTES, 2 * this.#bytes.length);
    const larger = Buffer.allocUnsafeSlow(bytes);
    this.#bytes.copy(larger, 0, 0, filled);
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }
}

const EMPTY = Buffer.alloc(0);

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';
/** Those of 2^31 - 1. */
const DIGITS_MAX = 6;

/** Two digits each, the first in the low byte. */
const PAIRS = 36 * 36;
const DIGIT_PAIRS = Uint16Array.from({ length: PAIRS }, (_, pair) => {
  const [first, second] = [DIGITS.charCodeAt(pair / 36), DIGITS.charCodeAt(pair % 36)];
  return first | (second << 8);
});
