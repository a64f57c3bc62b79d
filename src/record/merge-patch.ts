/** Merge patch (RFC 7396): an object whose members replace, add or, by null, remove members. */

import { failure, type Failure } from '../base/errors.ts';
import { nameKey } from '../base/json/name.ts';
import type { Range } from '../base/json/range.ts';
import { Children, kindOf, OVER, PAUSE, type Pace, type Steps } from '../base/json/scan.ts';
import { PATCH_MEMBERS_MAX } from '../base/limits.ts';
import { insertLast } from './place.ts';
import type { ByteRange } from './reply.ts';
import { checkDepth, checkSize } from './result.ts';
import { Removals, splice, textOf, type Splice } from './splice.ts';

/** What `patch`, valid JSON text, makes of `text`, or of nothing; `bytesMax` bounds it. */
export function* mergePatch(
  text: ByteRange | undefined,
  patch: ByteRange,
  bytesMax: number,
  pace: Pace,
): Steps<ByteRange | Failure> {
  const tooDeep = yield* checkDepth(patch, 0, pace);
  if (tooDeep !== undefined) return tooDeep;
  const merge = new Merge(patch.bytes, pace);
  const target = text ?? textOf('null');
  const splices = yield* merge.merge(target, patch);
  if (merge.isTooLarge) {
    return failure('INVALID_PATCH', `a merge patch has at most ${PATCH_MEMBERS_MAX} members`);
  }
  const inOrder = splices.toSorted((a, b) => a.start - b.start || a.end - b.end);
  return checkSize(target, inOrder, bytesMax) ?? (yield* splice(target, inOrder));
}

/** A member of a patch: the last of its name. */
interface Wanted {
  readonly name: Range;
  readonly value: Range;
  /** Where the target has it, the last of its name. */
  found: Range | undefined;
}

class Merge {
  isTooLarge = false;
  readonly #patch: Buffer;
  readonly #pace: Pace;
  #members = 0;

  constructor(patch: Buffer, pace: Pace) {
    this.#patch = patch;
    this.#pace = pace;
  }

  /** The splices of the target that the patch in `range` asks for. */
  *merge(target: ByteRange, range: Range): Steps<Splice[]> {
    if (!this.#isObject(range) || kindOf(target.bytes, target.start) !== 'object') {
      return [{ start: target.start, end: target.end, texts: [yield* this.#withoutNulls(range)] }];
    }
    const wanted = yield* this.#wantedOf(range);
    const removals = new Removals();
    const children = new Children(target.bytes, target, this.#pace);
    let lastEnd = target.start + 1;
    for (let next = children.next(); next !== OVER; next = children.next()) {
      if (next === PAUSE) {
        yield;
        continue;
      }
      const member = wanted.get(nameKey(target.bytes, children.name));
      if (member !== undefined) member.found = children.value;
      const isGone = member !== undefined && this.#isNull(member.value);
      removals.add(children.name.start, children.value.end, isGone);
      lastEnd = children.value.end;
    }
    const splices = removals.finish();
    let length = removals.hasKept ? 1 : 0;
    for (const { name, value, found } of wanted.values()) {
      if (this.#isNull(value)) continue;
      if (found !== undefined) {
        const inner = { bytes: target.bytes, start: found.start, end: found.end };
        for (const inside of yield* this.merge(inner, value)) splices.push(inside);
      } else {
        const texts = [this.#at(name), COLON, yield* this.#withoutNulls(value)];
        splices.push(insertLast({ lastEnd, length }, texts));
        length++;
      }
    }
    return splices;
  }

  /** What a patch makes of nothing: itself without members that are null, and each name once. */
  *#withoutNulls(range: Range): Steps<ByteRange> {
    const text = this.#at(range);
    if (!this.#isObject(range)) return text;
    const wanted = yield* this.#wantedOf(range);
    const removals = new Removals();
    const inner: Splice[] = [];
    const children = new Children(this.#patch, range, this.#pace);
    for (let next = children.next(); next !== OVER; next = children.next()) {
      if (next === PAUSE) {
        yield;
        continue;
      }
      const { name, value } = children;
      const isLast = wanted.get(nameKey(this.#patch, name))?.name.start === name.start;
      const isGone = !isLast || this.#isNull(value);
      removals.add(name.start, value.end, isGone);
      if (isGone || !this.#isObject(value)) continue;
      const stripped = yield* this.#withoutNulls(value);
      if (stripped.end - stripped.start < value.end - value.start) {
        inner.push({ ...value, texts: [stripped] });
      }
    }
    const splices = [...removals.finish(), ...inner];
    if (splices.length === 0) return text;
    return yield* splice(
      text,
      splices.toSorted((a, b) => a.start - b.start || a.end - b.end),
    );
  }

  *#wantedOf(range: Range): Steps<Map<string, Wanted>> {
    const wanted = new Map<string, Wanted>();
    const children = new Children(this.#patch, range, this.#pace);
    for (let next = children.next(); next !== OVER; next = children.next()) {
      if (next === PAUSE) {
        yield;
        continue;
      }
      this.#members++;
      if (this.#members > PATCH_MEMBERS_MAX) {
        this.isTooLarge = true;
        break;
      }
      const { name, value } = children;
      wanted.set(nameKey(this.#patch, name), { name, value, found: undefined });
    }
    return wanted;
  }

  #at({ start, end }: Range): ByteRange {
    return { bytes: this.#patch, start, end };
  }

  #isObject(range: Range): boolean {
    return kindOf(this.#patch, range.start) === 'object';
  }

  #isNull(range: Range): boolean {
    return kindOf(this.#patch, range.start) === 'null';
  }
}

const COLON = textOf(':');
