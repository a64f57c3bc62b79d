/** The records that the bench stores: 20-byte keys and values of about 50 bytes, made without end. */

import type { Key } from '../src/base/key.ts';
import type { ByteRange } from '../src/record/reply.ts';

/** Bytes of every key, and of a value if nothing else is asked for. */
export const KEY_BYTES = 20;
export const VALUE_BYTES = 50;

const KEY_PREFIX = 'key:';
const DIGITS = 9;
const ZERO = 0x30;
const VALUE_BYTES_MAX = 256;

/** Gives numbers from 0 to 1, 1 excluded: the same ones for the same seed (xorshift). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Makes each key anew from bytes, as a parser does: a string that no one has hashed yet. */
export class KeySource {
  readonly #bytes = Buffer.from(KEY_PREFIX.padEnd(KEY_BYTES, '0'));

  /** The key of the `n`th record, of up to a thousand million. */
  key(n: number): Key {
    for (let at = KEY_BYTES - 1, rest = n; at >= KEY_BYTES - DIGITS; at--) {
      const tenth = Math.floor(rest / 10);
      this.#bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    return this.#bytes.toString('latin1') as Key;
  }
}

/** Where all values come from: a JSON string of any length up to 256 bytes ends inside these. */
const TEXT = Buffer.from('"'.padEnd(VALUE_BYTES_MAX - 1, 'v'));

/** A value of so many bytes. */
export function valueOf(sizeBytes = VALUE_BYTES): ByteRange {
  return { bytes: TEXT, start: 0, end: sizeBytes };
}
