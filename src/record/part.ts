/** The part of a value that a request asks for: by position, by name or by a pointer. */

import { failure, type Failure } from '../base/errors.ts';
import { nameBytes } from '../base/json/name.ts';
import type { Range } from '../base/json/range.ts';
import { findElement, findMember, kindOf, Pace, type Steps } from '../base/json/scan.ts';
import { keyText } from '../base/key.ts';
import { follow, tokensOf } from './pointer.ts';
import type { ByteRange } from './reply.ts';
import type { PartRequest } from './request.ts';

/**
 * Finds the part that `request` names in `value`, which is valid JSON text without white space around
 * it. What it returns is a range of the same bytes.
 */
export function* select(request: PartRequest, value: ByteRange): Steps<ByteRange | Failure> {
  if (!mayHave(request, kindOf(value.bytes, value.start))) {
    const needed = request.action === 'index' ? 'list' : 'dictionary';
    return failure('WRONG_TYPE', `${describe(request)}, the value is no ${needed}`);
  }
  const range = yield* find(request, value);
  if (range !== undefined) return { bytes: value.bytes, start: range.start, end: range.end };
  switch (request.action) {
    case 'load':
      return failure('PART_NOT_FOUND', `${describe(request)}, there is nothing`);
    case 'index':
      return failure('INDEX_OUT_OF_RANGE', `${describe(request)}, the list is shorter`);
    case 'item':
      return failure('ITEM_NOT_FOUND', `${describe(request)}, the dictionary has no such item`);
  }
}

/** `index` asks of lists only, `item` of objects only. */
function mayHave({ action }: PartRequest, kind: ReturnType<typeof kindOf>): boolean {
  return action === 'load' || kind === (action === 'index' ? 'array' : 'object');
}

function find(request: PartRequest, value: ByteRange): Steps<Range | undefined> {
  const pace = new Pace();
  switch (request.action) {
    case 'load':
      return follow(value, tokensOf(request.pointer), pace);
    case 'index':
      return findElement(value.bytes, value, request.index, pace);
    case 'item':
      return findMember(value.bytes, value, nameBytes(request.item), pace);
  }
}

function describe(request: PartRequest): string {
  const key = keyText(request.key);
  switch (request.action) {
    case 'load':
      return `unable to load ${JSON.stringify(request.pointer)} of ${key} key`;
    case 'index':
      return `unable to load index ${request.index} of ${key} key`;
    case 'item':
      return `unable to load item ${request.item} of ${key} key`;
  }
}
