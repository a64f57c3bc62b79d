/** The new value that a request makes of the one that is there: text in, text out. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { Pace, type Steps } from '../base/json/scan.ts';
import { keyText } from '../base/key.ts';
import { append } from './append.ts';
import { increment } from './increment.ts';
import { jsonPatch } from './json-patch.ts';
import { mergePatch } from './merge-patch.ts';
import { put, remove } from './place.ts';
import { asKept, type ByteRange, type KeptBytes } from './reply.ts';
import type { EditRequest, Request } from './request.ts';
import { checkResult } from './result.ts';
import { splice, textOf } from './splice.ts';

/** What an edit comes to. */
export interface Edited {
  /** The whole new value. */
  readonly value: ByteRange;
  /** What the answer shows: the value, the number of a counter, the length of a list, or nothing. */
  readonly shown: KeptBytes | undefined;
}

/**
 * Edits `text`, the value of a record; undefined where there is none. What is not touched stays byte for
 * byte. Knows no conditions; `bytesMax` bounds the new value.
 *
 * @returns KEY_NOT_FOUND where there is no value and the edit makes none.
 */
export function* edit(
  request: EditRequest,
  text: ByteRange | undefined,
  bytesMax: number,
): Steps<Edited | Failure> {
  const pace = new Pace();
  if (text === undefined && !canCreate(request)) return missing(request);
  switch (request.action) {
    case 'increment': {
      const outcome = yield* increment(request, text, bytesMax, pace);
      return isFailure(outcome) ? outcome : editedTo(outcome.value, outcome.number);
    }
    case 'append': {
      const outcome = yield* append(request, text, bytesMax, pace);
      if (isFailure(outcome)) return outcome;
      return editedTo(outcome.value, textOf(String(outcome.length)));
    }
    case 'patch': {
      const value =
        request.format === 'merge'
          ? yield* mergePatch(text, request.patch, bytesMax, pace)
          : yield* jsonPatch(text!, request.patch, bytesMax, pace);
      if (isFailure(value)) return value;
      // A patch that changes nothing must not give back bytes on loan.
      const kept = value === text ? yield* splice(value, []) : value;
      return editedTo(kept, kept);
    }
    case 'store': {
      const { pointer, value } = request;
      const splices = yield* put(text!, pointer, value, 'set', pace);
      if (isFailure(splices)) return splices;
      const refusal = yield* checkResult(text!, splices, value, pointer, bytesMax, pace);
      return refusal ?? editedTo(yield* splice(text!, splices), value);
    }
    case 'delete': {
      const splices = yield* remove(text!, request.pointer, pace);
      if (!isFailure(splices)) return editedTo(yield* splice(text!, splices), undefined);
      const { code, detail } = splices;
      return failure(code === 'TARGET_NOT_FOUND' ? 'PART_NOT_FOUND' : code, detail);
    }
  }
}

/** Nobody writes again to a text that was spliced, or to what a client has sent. */
function editedTo(value: ByteRange, shown: ByteRange | undefined): Edited {
  return { value, shown: shown && asKept(shown) };
}

/**
 * The time to live that an edit gives a record, counted from now; undefined where that stays as it is.
 * `isCreated` says that there was no record.
 */
export function newTtl(request: EditRequest, isCreated: boolean): bigint | undefined {
  const ttlNs = 'ttlNs' in request ? request.ttlNs : undefined;
  if (isCreated) return ttlNs ?? 0n;
  return request.action === 'increment' && request.expire === 'created' ? undefined : ttlNs;
}

/** Whether a request makes a record where there is none. */
function canCreate(request: EditRequest): boolean {
  switch (request.action) {
    case 'increment':
    case 'append':
      return request.pointer === '';
    case 'patch':
      return request.format === 'merge' && request.condition?.ifNoneMatch === '*';
    case 'store':
    case 'delete':
      return false;
  }
}

/** The failure of a request on a record that is not there. */
export function missing({ action, key }: Pick<Request, 'action' | 'key'>): Failure {
  const text = keyText(key);
  return failure('KEY_NOT_FOUND', `unable to ${action} ${text} key, ${text} does not exist`);
}
