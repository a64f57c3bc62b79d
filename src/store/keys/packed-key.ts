/** A key in the form in which the store hashes, compares and copies it. */

import type { Key } from '../../base/key.ts';
import { KEY_BYTES_MAX } from '../../base/limits.ts';
import type { Place } from '../../record/lister.ts';

/** A key as it is looked for. */
export interface SoughtKey extends Place {
  readonly packed: PackedKey;
}

/**
 * The bytes of one key after another, in little-endian words of four: a string's are read once here,
 * because each look at a character of it costs more than the arithmetic that is done with it.
 */
export class PackedKey {
  /** The last word of the key is filled up with zeros; there is one even if no byte is left for it. */
  readonly words = new Uint32Array(KEY_BYTES_MAX / 4 + 1);
  readonly #bytes = Buffer.from(this.words.buffer);
  #length = 0;

  /** Bytes of the key. */
  get length(): number {
    return this.#length;
  }

  /** The key as a string of its own. */
  get text(): Key {
    return this.#bytes.toString('latin1', 0, this.#length) as Key;
  }

  /** Takes the bytes of a key. */
  pack(key: Key): this {
    this.#length = key.length;
    let at = 0;
    for (; at + 4 <= key.length; at += 4) {
      this.words[at >>> 2] =
        key.charCodeAt(at) |
        (key.charCodeAt(at + 1) << 8) |
        (key.charCodeAt(at + 2) << 16) |
        (key.charCodeAt(at + 3) << 24);
    }
    let rest = 0;
    for (; at < key.length; at++) rest |= key.charCodeAt(at) << ((at & 3) << 3);
    this.words[key.length >>> 2] = rest;
    return this;
  }

  /** Takes the bytes `start` to `end` of others. */
  packBytes(bytes: DataView, start: number, end: number): this {
    const { words } = this;
    this.#length = end - start;
    let at = start;
    let word = 0;
    for (; at + 4 <= end; at += 4) words[word++] = bytes.getInt32(at, true);
    let rest = 0;
    for (let shift = 0; at < end; shift += 8) rest |= bytes.getUint8(at++) << shift;
    words[word] = rest;
    return this;
  }

  /** Takes `length` bytes that start at a whole word of other memory. */
  read(memory: Uint32Array, start: number, length: number): this {
    this.#length = length;
    const whole = length >>> 2;
    for (let at = 0; at < whole; at++) this.words[at] = memory[start + at] as number;
    this.words[whole] = (memory[start + whole] as number) & restMask(length);
    return this;
  }

  /** Whether the same bytes are there in other memory, from a whole word on. */
  isAt(memory: Uint32Array, start: number): boolean {
    const whole = this.#length >>> 2;
    for (let at = 0; at < whole; at++) if (memory[start + at] !== this.words[at]) return false;
    const difference = (memory[start + whole] as number) ^ (this.words[whole] as number);
    return (difference & restMask(this.#length)) === 0;
  }

  /** Writes the bytes, and up to three zeros behind them, into other memory from a whole word on. */
  write(memory: Uint32Array, start: number): void {
    const end = (this.#length + 3) >>> 2;
    for (let at = 0; at < end; at++) memory[start + at] = this.words[at] as number;
  }
}

/** Which bits of its last, incomplete word belong to a key of this length. */
function restMask(length: number): number {
  return (1 << ((length & 3) << 3)) - 1;
}
