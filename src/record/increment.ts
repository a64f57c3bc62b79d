/** Adding to a number inside a value, exactly. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { kindOf, type Pace, type Steps } from '../base/json/scan.ts';
import { NUMBER_CHARS_MAX } from '../base/limits.ts';
import { add, compare, isNumber } from './decimal.ts';
import { put } from './place.ts';
import { follow, tokensOf } from './pointer.ts';
import type { ByteRange } from './reply.ts';
import type { IncrementRequest } from './request.ts';
import { checkResult } from './result.ts';
import { splice, textOf } from './splice.ts';

/** The whole value and the number in it after an increment; it begins with `initial` where there is none. */
export function* increment(
  request: IncrementRequest,
  text: ByteRange | undefined,
  bytesMax: number,
  pace: Pace,
): Steps<{ value: ByteRange; number: ByteRange } | Failure> {
  const { pointer } = request;
  const range = text && (yield* follow(text, tokensOf(pointer), pace));
  const present = text && range ? numberAt(text.bytes, range) : request.initial;
  if (typeof present !== 'string') return present;
  const sum = addWithin(request, present);
  if (typeof sum !== 'string') return sum;
  const number = textOf(sum);
  if (text === undefined) return { value: number, number };
  const splices = yield* put(text, pointer, number, 'set', pace);
  if (isFailure(splices)) return splices;
  const refusal = yield* checkResult(text, splices, number, pointer, bytesMax, pace);
  return refusal ?? { value: yield* splice(text, splices), number };
}

function numberAt(bytes: Buffer, { start, end }: { start: number; end: number }): string | Failure {
  const kind = kindOf(bytes, start);
  if (kind !== 'number') {
    return failure('WRONG_TYPE', `what is to be incremented is of the type ${kind}`);
  }
  const text = end - start > NUMBER_CHARS_MAX ? '' : bytes.toString('latin1', start, end);
  return isNumber(text) ? text : tooLong();
}

function addWithin({ by, min, max }: IncrementRequest, present: string): string | Failure {
  const sum = add(present, by);
  if (sum === undefined) return tooLong();
  if (max !== undefined && compare(sum, max) > 0) {
    return failure('NUMBER_OUT_OF_RANGE', `${sum} is more than ${max}`);
  }
  if (min !== undefined && compare(sum, min) < 0) {
    return failure('NUMBER_OUT_OF_RANGE', `${sum} is less than ${min}`);
  }
  return sum;
}

function tooLong(): Failure {
  return failure('NUMBER_OUT_OF_RANGE', `a number has at most ${NUMBER_CHARS_MAX} digits here`);
}
