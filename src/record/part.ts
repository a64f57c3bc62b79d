/** The part of a value that an `index` or `item` request asks for. */

import { failure, type Failure } from '../base/errors.ts';
import { nameBytes } from '../base/json/name.ts';
import { findElement, findMember, kindOf, type Steps } from '../base/json/scan.ts';
import { keyText } from '../base/key.ts';
import type { ByteRange } from './reply.ts';
import type { IndexRequest, ItemRequest } from './request.ts';

/**
 * Finds the element or member that `request` names in `value`, which is valid JSON text without
 * white space around it. What it returns is a range of the same bytes.
 */
export function* select(
  request: IndexRequest | ItemRequest,
  value: ByteRange,
): Steps<ByteRange | Failure> {
  const isIndex = request.action === 'index';
  if (kindOf(value.bytes, value.start) !== (isIndex ? 'array' : 'object')) {
    const needed = isIndex ? 'list' : 'dictionary';
    return failure('WRONG_TYPE', `${describe(request)}, the value is no ${needed}`);
  }
  const range = isIndex
    ? yield* findElement(value.bytes, value, request.index)
    : yield* findMember(value.bytes, value, nameBytes(request.item));
  if (range !== undefined) return { bytes: value.bytes, start: range.start, end: range.end };
  return isIndex
    ? failure('INDEX_OUT_OF_RANGE', `${describe(request)}, the list is shorter`)
    : failure('ITEM_NOT_FOUND', `${describe(request)}, the dictionary has no such item`);
}

function describe(request: IndexRequest | ItemRequest): string {
  const key = keyText(request.key);
  return request.action === 'index'
    ? `unable to load index ${request.index} of ${key} key`
    : `unable to load item ${request.item} of ${key} key`;
}
