/**
 * A scanner over JSON text: finds the byte ranges of values inside it, so that they can be stored
 * and answered byte for byte.
 *
 * It expects text that `JSON.parse` has accepted and checks nothing again. On any other bytes the
 * ranges mean nothing, but it stays within bounds and ends.
 */

/** Bytes `start` (included) to `end` (excluded), without the white space around the value. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** One `name: value` of an object; the range of the name has the quotes. */
interface Member {
  readonly name: Range;
  readonly value: Range;
}

export const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** The kind of the value that starts at `at`. */
export function kindOf(
  bytes: Uint8Array,
  at: number,
): 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null' {
  const first = bytes[at];
  if (first === OPEN_OBJECT) return 'object';
  if (first === OPEN_ARRAY) return 'array';
  if (first === QUOTE) return 'string';
  if (first === 0x74 || first === 0x66) return 'boolean'; // t, f
  return first === 0x6e ? 'null' : 'number'; // n
}

/**
 * The element at position `index`, counted from 0, of the array at `start`.
 *
 * @example findElement(Buffer.from('[1, 2.0]'), 0, 8, 1) // { start: 4, end: 7 }
 * @returns `undefined` if the array is shorter.
 */
export function findElement(
  bytes: Uint8Array,
  start: number,
  end: number,
  index: number,
): Range | undefined {
  let at = skipSpace(bytes, start + 1, end);
  for (let position = 0; at < end && bytes[at] !== CLOSE_ARRAY; position++) {
    const valueEnd = skipValue(bytes, at, end);
    if (position === index) return { start: at, end: valueEnd };
    at = skipMark(bytes, valueEnd, end, COMMA);
  }
  return undefined;
}

/** The members of the object at `start`, in order; of those with the same name the last counts. */
export function* members(bytes: Uint8Array, start: number, end: number): Generator<Member, void> {
  let at = skipSpace(bytes, start + 1, end);
  while (at < end && bytes[at] === QUOTE) {
    const name = { start: at, end: skipString(bytes, at, end) };
    const valueAt = skipMark(bytes, name.end, end, COLON);
    const value = { start: valueAt, end: skipValue(bytes, valueAt, end) };
    yield { name, value };
    at = skipMark(bytes, value.end, end, COMMA);
  }
}

/** True if the member has this name; an escape counts as what it stands for. */
export function isNamed(bytes: Uint8Array, member: Member, name: string): boolean {
  const { start, end } = member.name;
  const length = end - start - 2;
  for (let at = 0; at < length; at++) {
    const byte = bytes[start + 1 + at]!;
    if (byte === BACKSLASH || byte > 0x7f) {
      return JSON.parse(new TextDecoder().decode(bytes.subarray(start, end))) === name;
    }
    if (byte !== name.charCodeAt(at)) return false;
  }
  return length === name.length;
}

/**
 * The value of the member `name` of the object at `start`. As in `JSON.parse`, the last of several
 * members of that name wins, and `__proto__` is a name like any other.
 *
 * @example findMember(Buffer.from('{"a": 1, "a": 2}'), 0, 16, 'a') // { start: 14, end: 15 }
 * @returns `undefined` if there is none.
 */
export function findMember(
  bytes: Uint8Array,
  start: number,
  end: number,
  name: string,
): Range | undefined {
  let found: Range | undefined;
  for (const member of members(bytes, start, end)) {
    if (isNamed(bytes, member, name)) found = member.value;
  }
  return found;
}

/** The offset of the first byte from `from` on that is not white space (RFC 8259 §2), or `end`. */
export function skipSpace(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && isSpace(bytes[at])) at++;
  return at;
}

/** The offset of what follows `mark` and the white space around it, or `end` if it is not there. */
function skipMark(bytes: Uint8Array, from: number, end: number, mark: number): number {
  const at = skipSpace(bytes, from, end);
  return at < end && bytes[at] === mark ? skipSpace(bytes, at + 1, end) : end;
}

/** The offset after the value that starts at `at`. */
function skipValue(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at];
  if (first === QUOTE) return skipString(bytes, at, end);
  return isOpen(first) ? skipNested(bytes, at, end) : skipScalar(bytes, at, end);
}

/** The offset after the string whose opening quote is at `from`. */
export function skipString(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from + 1; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  return end;
}

function skipNested(bytes: Uint8Array, from: number, end: number): number {
  let depth = 0;
  for (let at = from; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = skipString(bytes, at, end) - 1;
    else if (isOpen(byte)) depth++;
    else if (isClose(byte) && --depth === 0) return at + 1;
  }
  return end;
}

function skipScalar(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] !== COMMA && !isClose(bytes[at]) && !isSpace(bytes[at])) at++;
  return at;
}

/** True for `[` and `{`. */
export function isOpen(byte: number | undefined): boolean {
  return byte === OPEN_OBJECT || byte === OPEN_ARRAY;
}

/** True for `]` and `}`. */
export function isClose(byte: number | undefined): boolean {
  return byte === CLOSE_OBJECT || byte === CLOSE_ARRAY;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
