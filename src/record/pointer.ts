/** JSON pointers (RFC 6901): places inside a value. */

import { failure, type Failure } from '../base/errors.ts';
import { nameBytes } from '../base/json/name.ts';
import type { Range } from '../base/json/range.ts';
import {
  Children,
  findElement,
  findMember,
  kindOf,
  OVER,
  PAUSE,
  type Pace,
  type Steps,
} from '../base/json/scan.ts';
import { POINTER_CHARS_MAX } from '../base/limits.ts';
import type { ByteRange } from './reply.ts';
import type { Pointer } from './request.ts';

/** One step of a pointer: into an object by name, into a list by position. */
export interface Token {
  readonly text: string;
  readonly name: Uint8Array;
  /** Undefined if it cannot be a position, Infinity for the one after the last (`-`). */
  readonly index: number | undefined;
}

/**
 * The pointer that a text is.
 *
 * @example checkPointer('/users/0/a~1b') // the member "a/b" of the first of "users"
 * @returns INVALID_POINTER if it is none.
 */
export function checkPointer(text: string): Pointer | Failure {
  if (text.length > POINTER_CHARS_MAX) {
    return failure('INVALID_POINTER', `a pointer has at most ${POINTER_CHARS_MAX} characters`);
  }
  if (text !== '' && !text.startsWith('/')) {
    return failure('INVALID_POINTER', 'a pointer is empty or begins with a slash');
  }
  if (/~(?![01])/.test(text)) {
    return failure('INVALID_POINTER', 'in a pointer ~ is written ~0, and a slash in a name ~1');
  }
  if (/\p{Surrogate}/u.test(text)) {
    return failure('INVALID_POINTER', 'a pointer has no lone surrogates');
  }
  return text;
}

/** The steps of a pointer that {@link checkPointer} has accepted. */
export function tokensOf(pointer: Pointer): Token[] {
  return pointer.split('/').slice(1).map(tokenOf);
}

function tokenOf(escaped: string): Token {
  const text = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
  return { text, name: nameBytes(text), index: indexOf(text) };
}

/** Positions have no zeros in front (RFC 6901 §4). */
function indexOf(text: string): number | undefined {
  if (text === '-') return Infinity;
  return /^(0|[1-9]\d*)$/.test(text) ? Number(text) : undefined;
}

/** The part of `text` that `tokens` lead to; undefined if there is none. */
export function* follow(
  text: ByteRange,
  tokens: readonly Token[],
  pace: Pace,
): Steps<Range | undefined> {
  let range: Range | undefined = text;
  for (const { name, index } of tokens) {
    const kind = kindOf(text.bytes, range.start);
    if (kind === 'object') range = yield* findMember(text.bytes, range, name, pace);
    else if (kind === 'array' && index !== undefined) {
      range = yield* findElement(text.bytes, range, index, pace);
    } else return undefined;
    if (range === undefined) return undefined;
  }
  return range;
}

/** What a list or an object looks like from one of its places. */
export interface Site {
  readonly kind: 'object' | 'array';
  readonly container: Range;
  /** The value at the place, of several members the last. */
  readonly found: Range | undefined;
  /** Where the last child ends, or the brackets open; not told of a list where the value was found. */
  readonly lastEnd: number;
  readonly length: number;
}

/** Looks at the place that `token` names in the list or object in `container`. */
export function* survey(
  bytes: Buffer,
  container: Range,
  token: Token,
  pace: Pace,
): Steps<Site | undefined> {
  const kind = kindOf(bytes, container.start);
  if (kind !== 'object' && kind !== 'array') return undefined;
  const children = new Children(bytes, container, pace);
  let lastEnd = container.start + 1;
  let length = 0;
  let found: Range | undefined;
  for (let next = children.next(); next !== OVER; next = children.next()) {
    if (next === PAUSE) {
      yield;
      continue;
    }
    if (kind === 'object') {
      if (children.isNamed(token.name)) found = children.value;
    } else if (length === token.index) {
      found = children.value;
      break;
    }
    length++;
    lastEnd = children.value.end;
  }
  return { kind, container, found, lastEnd, length };
}
