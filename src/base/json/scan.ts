/**
 * A scanner over JSON text: finds the byte ranges of values inside it, so that they can be stored,
 * answered and replaced byte for byte.
 *
 * It expects text that `check.ts` has accepted and checks nothing again. On any other bytes the ranges
 * mean nothing, but it stays within bounds and ends.
 */

import { isNamed } from './name.ts';
import type { Range } from './range.ts';

/** A computation in pieces: each `yield` is the end of one that takes at most half a millisecond. */
export type Steps<T> = Generator<void, T>;

/** Does all the pieces of a computation at once: for small texts. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Bytes of text in a piece. */
const PIECE_BYTES = 128 * 1024;

/** What a look at a child costs beside its bytes, in bytes. */
const CHILD_BYTES = 16;

/** How much is left of a piece; one for all the scans of a computation. */
export class Pace {
  left = PIECE_BYTES;

  /** True at the end of a piece, where the next begins. */
  isOver(): boolean {
    if (this.left > 0) return false;
    this.left = PIECE_BYTES;
    return true;
  }
}

const BACKSLASH = 0x5c;
const QUOTE_BYTE = 0x22;

const SCALAR = 0;
const SPACE = 1;
const QUOTE = 2;
const OPEN = 3;
const CLOSE = 4;
const COMMA = 5;
const COLON = 6;

/** What each byte is where it is not inside a string. */
const KINDS = buildKinds();

function buildKinds(): Uint8Array {
  const kinds = new Uint8Array(256);
  const marks: [string, number][] = [
    [' \t\n\r', SPACE],
    ['"', QUOTE],
    ['[{', OPEN],
    [']}', CLOSE],
    [',', COMMA],
    [':', COLON],
  ];
  for (const [characters, kind] of marks) {
    for (const character of characters) kinds[character.charCodeAt(0)] = kind;
  }
  return kinds;
}

export type Kind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

const FIRST_BYTES: Readonly<Record<string, Kind>> = {
  '{': 'object',
  '[': 'array',
  '"': 'string',
  t: 'boolean',
  f: 'boolean',
  n: 'null',
};

/** The kind of the value that starts at `at`. */
export function kindOf(bytes: Uint8Array, at: number): Kind {
  return FIRST_BYTES[String.fromCharCode(bytes[at]!)] ?? 'number';
}

/** What {@link Children.next} found. */
export const OVER = 0;
export const CHILD = 1;
export const PAUSE = 2;

/**
 * The elements of a list or the members of an object, one after the other. `next` moves to the next
 * and makes no object; after a PAUSE it is called again.
 *
 * @example
 * const children = new Children(bytes, range, pace);
 * for (let found = children.next(); found !== OVER; found = children.next()) {
 *   if (found === PAUSE) yield;
 *   else use(children.value);
 * }
 */
export class Children {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #pace: Pace;
  #at: number;
  /** The token that was seen last at this level, and the one before the colon. */
  #tokenAt = -1;
  #tokenEnd = -1;
  #nameAt = -1;
  #nameEnd = -1;
  /** What the scan is in the middle of when it pauses. */
  #isInChild = false;
  #isInString = false;
  #depth = 0;
  #isOver = false;

  /** `start` is where the list or object opens. */
  constructor(bytes: Uint8Array, { start, end }: Range, pace: Pace) {
    this.#bytes = bytes;
    this.#at = start + 1;
    this.#end = end;
    this.#pace = pace;
  }

  /** The name of the member with its quotes. */
  get name(): Range {
    return { start: this.#nameAt, end: this.#nameEnd };
  }

  get value(): Range {
    return { start: this.#tokenAt, end: this.#tokenEnd };
  }

  /** True if the member has this name. */
  isNamed(name: Uint8Array): boolean {
    return isNamed(this.#bytes, this.name, name);
  }

  next(): typeof OVER | typeof CHILD | typeof PAUSE {
    if (this.#isOver) return OVER;
    if (this.#pace.isOver()) return PAUSE;
    if (!this.#isInChild) this.#tokenAt = -1;
    const from = this.#at;
    const found = this.#scan(Math.min(this.#end, from + this.#pace.left));
    this.#pace.left -= this.#at - from + CHILD_BYTES;
    this.#isInChild = found === PAUSE;
    if (found !== PAUSE || this.#at < this.#end) return found;
    // The text is cut off.
    this.#isOver = true;
    this.#tokenEnd = this.#end;
    return this.#tokenAt < 0 ? OVER : CHILD;
  }

  #scan(until: number): typeof OVER | typeof CHILD | typeof PAUSE {
    const bytes = this.#bytes;
    let at = this.#at;
    if (this.#isInString || this.#depth > 0) at = this.#skip(at, until);
    while (at < until) {
      switch (KINDS[bytes[at]!]!) {
        case SPACE:
          at++;
          break;
        case COLON:
          this.#nameAt = this.#tokenAt;
          this.#nameEnd = this.#tokenEnd;
          this.#tokenAt = -1;
          at++;
          break;
        case COMMA:
          if (this.#tokenAt < 0) this.#tokenAt = this.#tokenEnd = at;
          this.#at = at + 1;
          return CHILD;
        case CLOSE:
          this.#at = at + 1;
          this.#isOver = true;
          return this.#tokenAt < 0 ? OVER : CHILD;
        case SCALAR:
          if (this.#tokenAt < 0) this.#tokenAt = at;
          while (at < until && KINDS[bytes[at]!] === SCALAR) at++;
          this.#tokenEnd = at;
          break;
        default:
          this.#tokenAt = at;
          at = this.#skip(at, until);
      }
    }
    this.#at = Math.min(at, this.#end);
    return PAUSE;
  }

  /** Goes to the end of the string, list or object that `from` is in or at the beginning of. */
  #skip(from: number, until: number): number {
    const bytes = this.#bytes;
    let isInString = this.#isInString;
    let depth = this.#depth;
    let at = from;
    while (at < until) {
      if (isInString) {
        const byte = bytes[at]!;
        at += byte === BACKSLASH ? 2 : 1;
        if (byte !== QUOTE_BYTE) continue;
        isInString = false;
      } else {
        const kind = KINDS[bytes[at++]!];
        if (kind === QUOTE) {
          isInString = true;
          continue;
        }
        if (kind === OPEN) depth++;
        else if (kind === CLOSE) depth--;
      }
      if (depth > 0) continue;
      this.#tokenEnd = at;
      break;
    }
    this.#isInString = isInString;
    this.#depth = depth;
    return at;
  }
}

/**
 * The element at position `index`, counted from 0, of the list in `range`; undefined if it is shorter.
 *
 * @example finish(findElement(Buffer.from('[1, 2.0]'), { start: 0, end: 8 }, 1, new Pace())) // { start: 4, end: 7 }
 */
export function* findElement(
  bytes: Uint8Array,
  range: Range,
  index: number,
  pace: Pace,
): Steps<Range | undefined> {
  const children = new Children(bytes, range, pace);
  let position = 0;
  for (let found = children.next(); found !== OVER; found = children.next()) {
    if (found === PAUSE) yield;
    else if (position++ === index) return children.value;
  }
  return undefined;
}

/**
 * The value of the member `name` of the object in `range`; undefined if there is none. As in
 * `JSON.parse`, the last of several members of that name wins, and `__proto__` is a name like any other.
 *
 * @example finish(findMember(Buffer.from('{"a": 1}'), { start: 0, end: 8 }, nameBytes('a'), new Pace()))
 */
export function* findMember(
  bytes: Uint8Array,
  range: Range,
  name: Uint8Array,
  pace: Pace,
): Steps<Range | undefined> {
  const children = new Children(bytes, range, pace);
  let last: Range | undefined;
  for (let found = children.next(); found !== OVER; found = children.next()) {
    if (found === PAUSE) yield;
    else if (children.isNamed(name)) last = children.value;
  }
  return last;
}

/** How deep lists and objects nest in the value in `range`; a scalar is 0 deep. */
export function* depthOf(bytes: Uint8Array, range: Range, pace: Pace): Steps<number> {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let at = range.start; at < range.end; ) {
    if (pace.isOver()) yield;
    const from = at;
    const until = Math.min(range.end, at + pace.left);
    while (at < until) {
      const byte = bytes[at]!;
      at += isInString && byte === BACKSLASH ? 2 : 1;
      if (byte === QUOTE_BYTE) isInString = !isInString;
      else if (isInString) continue;
      else if (KINDS[byte] === OPEN) deepest = Math.max(deepest, ++depth);
      else if (KINDS[byte] === CLOSE) depth--;
    }
    pace.left -= at - from;
  }
  return deepest;
}
