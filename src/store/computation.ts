/** Requests that look into a value: what they compute of it, and when that is too much for one piece. */

import type { Failure } from '../base/errors.ts';
import type { Steps } from '../base/json/scan.ts';
import { SMALL_TEXT_BYTES_MAX } from '../base/limits.ts';
import { edit, type Edited } from '../record/edit.ts';
import { select } from '../record/part.ts';
import type { ByteRange } from '../record/reply.ts';
import {
  isEdit,
  textOf,
  type EditRequest,
  type PartRequest,
  type Request,
} from '../record/request.ts';

/** A request whose answer is computed from the value. */
export type Computed = PartRequest | EditRequest;

/** Tells these requests from those that take a value as a whole. */
export function isComputed(request: Request): request is Computed {
  switch (request.action) {
    case 'load':
    case 'store':
    case 'delete':
      return request.pointer !== undefined;
    case 'expire':
      return false;
    case 'index':
    case 'item':
    case 'patch':
    case 'increment':
    case 'append':
      return true;
  }
}

/** A part of the value, or what it becomes. */
export type Result = ByteRange | Edited | Failure;

/** What a request computes of a value, in pieces; undefined stands for no record, which only edits take. */
export function compute(
  request: Computed,
  value: ByteRange | undefined,
  bytesMax: number,
): Steps<Result> {
  return isEdit(request) ? edit(request, value, bytesMax) : select(request, value!);
}

/** Whether a request takes longer than one piece may. */
export function isLong(request: Computed, value: ByteRange | undefined): boolean {
  return lengthOf(value) + lengthOf(textOf(request)) > SMALL_TEXT_BYTES_MAX;
}

function lengthOf(range: ByteRange | undefined): number {
  return range === undefined ? 0 : range.end - range.start;
}
