/**
 * Names of members, compared as bytes. They are in generalised UTF-8, in which a lone surrogate, which
 * an escape can write, has three bytes as if it were a character.
 */

import type { Range } from './range.ts';

const BACKSLASH = 0x5c;

/** The bytes of a name. */
export function nameBytes(name: string): Uint8Array {
  if (!/\p{Surrogate}/u.test(name)) return Buffer.from(name);
  const parts = Array.from(name, (character) => {
    const code = character.codePointAt(0)!;
    return isSurrogate(code) ? Uint8Array.from(encode(code)) : Buffer.from(character);
  });
  return Buffer.concat(parts);
}

/**
 * True if the string in `range`, quotes included, stands for `name`: an escape counts as what it stands
 * for. Takes time in proportion to what they have in common.
 */
export function isNamed(bytes: Uint8Array, range: Range, name: Uint8Array): boolean {
  return isNameAt(bytes, range.start + 1, range.end - 1, name);
}

/** Which of `names` the string from `start` to `end`, quotes included, stands for; -1 for none of them. */
export function nameAt(
  bytes: Uint8Array,
  start: number,
  end: number,
  names: readonly Uint8Array[],
): number {
  let at = names.length - 1;
  while (at >= 0 && !isNameAt(bytes, start + 1, end - 1, names[at]!)) at--;
  return at;
}

/** As {@link isNamed}, without the quotes. */
function isNameAt(bytes: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  let at = start;
  for (let matched = 0; matched < name.length; matched++, at++) {
    if (at >= end) return false;
    const byte = bytes[at]!;
    if (byte === BACKSLASH) return isUnescaped(bytes, { start: at, end }, name, matched);
    if (byte !== name[matched]) return false;
  }
  return at === end;
}

/** As {@link isNamed} from an escape on, for text without quotes. */
function isUnescaped(bytes: Uint8Array, range: Range, name: Uint8Array, from: number): boolean {
  const unescaped = new UnescapedBytes(bytes, range);
  for (let matched = from; matched < name.length; matched++) {
    if (unescaped.next() !== name[matched]) return false;
  }
  return unescaped.next() < 0;
}

/** A name as a byte string, for use in a `Map`: the same for all the ways to write the name. */
export function nameKey(bytes: Buffer, range: Range): string {
  const start = range.start + 1;
  const end = range.end - 1;
  if (!bytes.subarray(start, end).includes(BACKSLASH)) return bytes.toString('latin1', start, end);
  const unescaped = new UnescapedBytes(bytes, { start, end });
  const key: number[] = [];
  for (let byte = unescaped.next(); byte >= 0; byte = unescaped.next()) key.push(byte);
  return Buffer.from(key).toString('latin1');
}

/** The bytes that the text of a string stands for, in generalised UTF-8. */
export class UnescapedBytes {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  /** What is left of a character that was escaped. */
  #escaped: number[] = [];

  /** `range` is that of the text, without the quotes. */
  constructor(bytes: Uint8Array, range: Range) {
    this.#bytes = bytes;
    this.#at = range.start;
    this.#end = range.end;
  }

  /** The next byte, -1 at the end. */
  next(): number {
    if (this.#escaped.length > 0) return this.#escaped.shift()!;
    if (this.#at >= this.#end) return -1;
    const byte = this.#bytes[this.#at]!;
    if (byte !== BACKSLASH) {
      this.#at++;
      return byte;
    }
    const code = escapedAt(this.#bytes, this.#at);
    this.#at += escapeLength(this.#bytes, this.#at, code);
    this.#escaped = encode(code);
    return this.#escaped.shift()!;
  }
}

/** The code point that the escape at `at` stands for; two escapes that are a pair stand for one. */
function escapedAt(bytes: Uint8Array, at: number): number {
  if (bytes[at + 1] !== 0x75) return SHORT_ESCAPES.get(bytes[at + 1]!) ?? bytes[at + 1]!; // u
  const high = hexAt(bytes, at + 2);
  if (!isHighSurrogate(high) || bytes[at + 6] !== BACKSLASH || bytes[at + 7] !== 0x75) return high;
  const low = hexAt(bytes, at + 8);
  if (low < 0xdc00 || low > 0xdfff) return high;
  return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

function escapeLength(bytes: Uint8Array, at: number, code: number): number {
  if (bytes[at + 1] !== 0x75) return 2;
  return code > 0xffff ? 12 : 6;
}

/** What the letter of a short escape stands for; any other character stands for itself. */
const SHORT_ESCAPES = new Map(
  ['b\b', 'f\f', 'n\n', 'r\r', 't\t'].map((pair) => [pair.charCodeAt(0), pair.charCodeAt(1)]),
);

function hexAt(bytes: Uint8Array, at: number): number {
  let code = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = bytes[i]!;
    // Digits are 0x30 to 0x39, letters of either case end in 1 to 6.
    code = (code << 4) | (byte < 0x40 ? byte & 15 : (byte & 15) + 9);
  }
  return code;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}

/** A code point in generalised UTF-8. */
function encode(code: number): number[] {
  if (code < 0x80) return [code];
  const tail = (shift: number): number => 0x80 | ((code >> shift) & 0x3f);
  if (code < 0x800) return [0xc0 | (code >> 6), tail(0)];
  if (code < 0x10000) return [0xe0 | (code >> 12), tail(6), tail(0)];
  return [0xf0 | (code >> 18), tail(12), tail(6), tail(0)];
}
