/** Adding elements to the end of a list inside a value, which keeps no more than so many. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import type { Range } from '../base/json/range.ts';
import { Children, kindOf, OVER, PAUSE, type Pace, type Steps } from '../base/json/scan.ts';
import { insertLast, put } from './place.ts';
import { follow, tokensOf } from './pointer.ts';
import type { ByteRange } from './reply.ts';
import type { AppendRequest } from './request.ts';
import { checkResult } from './result.ts';
import { splice, type Splice } from './splice.ts';

/** The whole value and the length of the list after `values` were added; makes the list where none is. */
export function* append(
  request: AppendRequest,
  text: ByteRange | undefined,
  bytesMax: number,
  pace: Pace,
): Steps<{ value: ByteRange; length: number } | Failure> {
  const { pointer, values, maxLength = Infinity } = request;
  const added = yield* lengthOf(values.bytes, values, pace);
  const list = text && (yield* follow(text, tokensOf(pointer), pace));
  if (text === undefined || list === undefined) {
    const length = Math.min(added, maxLength);
    const kept = yield* lastOf(values, added - length, pace);
    if (text === undefined) return { value: kept, length };
    const splices = yield* put(text, pointer, kept, 'set', pace);
    return yield* spliced(request, text, splices, length, bytesMax, pace);
  }
  const kind = kindOf(text.bytes, list.start);
  if (kind !== 'array') {
    return failure('WRONG_TYPE', `what is to be added to is of the type ${kind}, not a list`);
  }
  const present = yield* lengthOf(text.bytes, list, pace);
  const length = Math.min(present + added, maxLength);
  const dropped = present + added - length;
  const splices = yield* splicesOf(text, list, { values, added, present, dropped }, pace);
  return yield* spliced(request, text, splices, length, bytesMax, pace);
}

/** How many elements there are, come and go. */
interface Counts {
  readonly values: ByteRange;
  readonly added: number;
  readonly present: number;
  readonly dropped: number;
}

function* splicesOf(
  text: ByteRange,
  list: Range,
  { values, added, present, dropped }: Counts,
  pace: Pace,
): Steps<Splice[]> {
  if (dropped > 0 && dropped >= present) {
    return [{ ...list, texts: [yield* lastOf(values, dropped - present, pace)] }];
  }
  const splices: Splice[] = [];
  if (dropped > 0) {
    const start = yield* startOf(text.bytes, list, 0, pace);
    splices.push({ start, end: yield* startOf(text.bytes, list, dropped, pace), texts: [] });
  }
  if (added > 0) {
    const inside = { bytes: values.bytes, start: values.start + 1, end: values.end - 1 };
    splices.push(insertLast({ lastEnd: list.end - 1, length: present }, [inside]));
  }
  return splices;
}

function* spliced(
  { pointer, values }: AppendRequest,
  text: ByteRange,
  splices: Splice[] | Failure,
  length: number,
  bytesMax: number,
  pace: Pace,
): Steps<{ value: ByteRange; length: number } | Failure> {
  if (isFailure(splices)) return splices;
  const refusal = yield* checkResult(text, splices, values, pointer, bytesMax, pace);
  return refusal ?? { value: yield* splice(text, splices), length };
}

/** The list `values` without its first `dropped` elements. */
function* lastOf(values: ByteRange, dropped: number, pace: Pace): Steps<ByteRange> {
  if (dropped === 0) return values;
  const start = values.start + 1;
  const end = yield* startOf(values.bytes, values, dropped, pace);
  return yield* splice(values, [{ start, end, texts: [] }]);
}

/** Where the element at `index` begins; past the last, where the list closes. */
function* startOf(bytes: Buffer, list: Range, index: number, pace: Pace): Steps<number> {
  const children = new Children(bytes, list, pace);
  let position = 0;
  for (let next = children.next(); next !== OVER; next = children.next()) {
    if (next === PAUSE) yield;
    else if (position++ === index) return children.value.start;
  }
  return list.end - 1;
}

function* lengthOf(bytes: Buffer, list: Range, pace: Pace): Steps<number> {
  const children = new Children(bytes, list, pace);
  let length = 0;
  for (let next = children.next(); next !== OVER; next = children.next()) {
    if (next === PAUSE) yield;
    else length++;
  }
  return length;
}
