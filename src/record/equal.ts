/** Whether two JSON texts stand for the same value, as a patch's `test` means it (RFC 6902 §4.6). */

import { failure, type Failure } from '../base/errors.ts';
import { nameKey, UnescapedBytes } from '../base/json/name.ts';
import type { Range } from '../base/json/range.ts';
import { CHILD, Children, kindOf, OVER, PAUSE, type Pace, type Steps } from '../base/json/scan.ts';
import { PATCH_MEMBERS_MAX } from '../base/limits.ts';
import { isSameNumber } from './decimal.ts';
import type { ByteRange } from './reply.ts';

/**
 * Compares numbers as exact decimals, strings as characters, objects without order and, of several
 * members of a name, by the last.
 *
 * @returns INVALID_PATCH if `right` has too many members.
 */
export function* isEqual(left: ByteRange, right: ByteRange, pace: Pace): Steps<boolean | Failure> {
  const comparison = new Comparison(left.bytes, right.bytes, pace);
  const equal = yield* comparison.isSame(left, right);
  if (!comparison.isTooLarge) return equal;
  return failure('INVALID_PATCH', `a test compares at most ${PATCH_MEMBERS_MAX} members`);
}

/** A member of the right object, and its value in the left one. */
interface Pair {
  right: Range;
  left: Range | undefined;
}

class Comparison {
  isTooLarge = false;
  readonly #left: Buffer;
  readonly #right: Buffer;
  readonly #pace: Pace;
  #members = 0;

  constructor(left: Buffer, right: Buffer, pace: Pace) {
    this.#left = left;
    this.#right = right;
    this.#pace = pace;
  }

  *isSame(left: Range, right: Range): Steps<boolean> {
    if (this.#pace.isOver()) yield;
    this.#pace.left -= Math.min(left.end - left.start, right.end - right.start) / 16;
    if (this.#isSameText(left, right)) return true;
    const kind = kindOf(this.#left, left.start);
    if (kind !== kindOf(this.#right, right.start)) return false;
    switch (kind) {
      case 'array':
        return yield* this.#isSameList(left, right);
      case 'object':
        return yield* this.#isSameObject(left, right);
      case 'string':
        return yield* this.#isSameString(left, right);
      case 'number':
        return isSameNumber(slice(this.#left, left), slice(this.#right, right));
      case 'boolean':
      case 'null':
        return false;
    }
  }

  #isSameText(left: Range, right: Range): boolean {
    if (left.end - left.start !== right.end - right.start) return false;
    const { start, end } = left;
    return this.#right.compare(this.#left, start, end, right.start, right.end) === 0;
  }

  *#isSameList(left: Range, right: Range): Steps<boolean> {
    const lefts = new Children(this.#left, left, this.#pace);
    const rights = new Children(this.#right, right, this.#pace);
    for (;;) {
      let next = lefts.next();
      for (; next === PAUSE; next = lefts.next()) yield;
      let other = rights.next();
      for (; other === PAUSE; other = rights.next()) yield;
      if (next !== other) return false;
      if (next === OVER) return true;
      if (!(yield* this.isSame(lefts.value, rights.value))) return false;
    }
  }

  *#isSameObject(left: Range, right: Range): Steps<boolean> {
    const pairs = yield* this.#membersOf(right);
    if (pairs === undefined) return false;
    const children = new Children(this.#left, left, this.#pace);
    for (let next = children.next(); next !== OVER; next = children.next()) {
      if (next === PAUSE) {
        yield;
        continue;
      }
      const pair = pairs.get(nameKey(this.#left, children.name));
      if (pair === undefined) return false;
      pair.left = children.value;
    }
    for (const pair of pairs.values()) {
      if (pair.left === undefined || !(yield* this.isSame(pair.left, pair.right))) return false;
    }
    return true;
  }

  /** The members of a right object; undefined if they are too many. */
  *#membersOf(right: Range): Steps<Map<string, Pair> | undefined> {
    const pairs = new Map<string, Pair>();
    const children = new Children(this.#right, right, this.#pace);
    for (let next = children.next(); next !== OVER; next = children.next()) {
      if (next === CHILD) {
        this.#members++;
        if (this.#members > PATCH_MEMBERS_MAX) {
          this.isTooLarge = true;
          return undefined;
        }
        pairs.set(nameKey(this.#right, children.name), { right: children.value, left: undefined });
      } else yield;
    }
    return pairs;
  }

  *#isSameString(left: Range, right: Range): Steps<boolean> {
    const lefts = new UnescapedBytes(this.#left, { start: left.start + 1, end: left.end - 1 });
    const rights = new UnescapedBytes(this.#right, { start: right.start + 1, end: right.end - 1 });
    for (;;) {
      this.#pace.left -= 8;
      if (this.#pace.isOver()) yield;
      const byte = lefts.next();
      if (byte !== rights.next()) return false;
      if (byte < 0) return true;
    }
  }
}

function slice(bytes: Buffer, { start, end }: Range): string {
  return bytes.toString('latin1', start, end);
}
