/** The part of a value that an `index` or `item` request asks for. */

import { failure, type Failure } from '../base/errors.ts';
import { findElement, findMember, kindOf } from '../base/json/scan.ts';
import { keyText } from '../base/key.ts';
import type { ByteRange } from './reply.ts';
import type { IndexRequest, ItemRequest } from './request.ts';

/**
 * Finds the element or member that `request` names in `value`, which is valid JSON text without
 * white space around it. What it returns is a range of the same bytes.
 */
export function select(request: IndexRequest | ItemRequest, value: ByteRange): ByteRange | Failure {
  const { bytes, start, end } = value;
  const kind = kindOf(bytes, start);
  const range =
    request.action === 'index'
      ? kind === 'array' && findElement(bytes, start, end, request.index)
      : kind === 'object' && findMember(bytes, start, end, request.item);
  if (range === false) {
    const needed = request.action === 'index' ? 'list' : 'dictionary';
    return failure('WRONG_TYPE', `${describe(request)}, the value is no ${needed}`);
  }
  if (range !== undefined) return { bytes, start: range.start, end: range.end };
  return request.action === 'index'
    ? failure('INDEX_OUT_OF_RANGE', `${describe(request)}, the list is shorter`)
    : failure('ITEM_NOT_FOUND', `${describe(request)}, the dictionary has no such item`);
}

function describe(request: IndexRequest | ItemRequest): string {
  const key = keyText(request.key);
  return request.action === 'index'
    ? `unable to load index ${request.index} of ${key} key`
    : `unable to load item ${request.item} of ${key} key`;
}
