/**
 * The bounds of what members send each other, field by field. A reader refuses what is out of them, and
 * that costs the connection; so nothing goes out before it was held to the same table.
 */

import {
  DETAIL_CHARS_MAX,
  ENTITY_TAGS_MAX,
  HEADER_BYTES_MAX,
  ITEM_CHARS_MAX,
  KEY_BYTES_MAX,
  NUMBER_CHARS_MAX,
  POINTER_CHARS_MAX,
  VALUE_BYTES_MAX,
} from '../base/limits.ts';
import { isNumber } from '../record/decimal.ts';
import { checkPointer } from '../record/pointer.ts';
import type { Condition, Request, Versions } from '../record/request.ts';
import { ProtocolError } from './frame.ts';

/** The longest ttl: what a signed 64-bit number holds, as in Go. */
const TTL_NS_MAX = 2n ** 63n - 1n;

/** The least and the most of each number, and of each length in bytes. Characters take up to three. */
export const BOUNDS = {
  'key bytes': [1, KEY_BYTES_MAX],
  'value bytes': [1, VALUE_BYTES_MAX],
  'item bytes': [0, 3 * ITEM_CHARS_MAX],
  'pointer bytes': [0, 3 * POINTER_CHARS_MAX],
  'number bytes': [1, NUMBER_CHARS_MAX],
  'detail bytes': [0, 3 * DETAIL_CHARS_MAX],
  versions: [0, ENTITY_TAGS_MAX],
  'version bytes': [0, HEADER_BYTES_MAX],
  index: [0, Number.MAX_SAFE_INTEGER],
  'list length': [0, Number.MAX_SAFE_INTEGER],
  'meta number': [0, Number.MAX_SAFE_INTEGER],
} as const satisfies Record<string, readonly [number, number]>;

export type Bounded = keyof typeof BOUNDS;

/** Whether a whole number is within its bounds. */
export function isWithin(field: Bounded, value: number): boolean {
  const [least, most] = BOUNDS[field];
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

/**
 * The number, as it was read.
 *
 * @throws ProtocolError if it is out of its bounds.
 */
export function within(field: Bounded, value: number): number {
  if (!isWithin(field, value)) throw new ProtocolError(`${field}: ${value}`);
  return value;
}

/** Whether a time to live is one. */
export function isTtl(ttlNs: bigint): boolean {
  return ttlNs >= 0n && ttlNs <= TTL_NS_MAX;
}

/** Which field of a request the other end would refuse; undefined if it can be sent. */
export function unsendable(request: Request): Bounded | 'time to live' | undefined {
  if (!isWithin('key bytes', request.key.length)) return 'key bytes';
  switch (request.action) {
    case 'index':
      return check('index', request.index);
    case 'item':
      return checkText('item bytes', request.item);
    case 'load':
    case 'delete':
      return checkCondition(request.condition) ?? checkPointerOf(request);
    case 'store':
      return (
        checkCondition(request.condition) ??
        checkPointerOf(request) ??
        checkTtl(request.ttlNs) ??
        check('value bytes', request.value.end - request.value.start)
      );
    case 'patch':
      return (
        checkCondition(request.condition) ??
        checkTtl(request.ttlNs) ??
        check('value bytes', request.patch.end - request.patch.start)
      );
    case 'increment':
      return (
        checkCondition(request.condition) ??
        checkTtl(request.ttlNs) ??
        checkPointerOf(request) ??
        checkNumber(request.by) ??
        checkNumber(request.initial) ??
        checkNumber(request.min) ??
        checkNumber(request.max)
      );
    case 'append':
      return (
        checkCondition(request.condition) ??
        checkTtl(request.ttlNs) ??
        checkPointerOf(request) ??
        check('list length', request.maxLength ?? 0) ??
        check('value bytes', request.values.end - request.values.start)
      );
    case 'expire':
      return checkCondition(request.condition) ?? checkTtl(request.ttlNs);
  }
}

function check(field: Bounded, value: number): Bounded | undefined {
  return isWithin(field, value) ? undefined : field;
}

function checkText(field: Bounded, text: string | undefined): Bounded | undefined {
  return text === undefined ? undefined : check(field, Buffer.byteLength(text));
}

function checkPointerOf({ pointer }: { pointer?: string | undefined }): Bounded | undefined {
  const isFine = pointer === undefined || typeof checkPointer(pointer) === 'string';
  return isFine ? checkText('pointer bytes', pointer) : 'pointer bytes';
}

function checkNumber(text: string | undefined): Bounded | undefined {
  return text === undefined || isNumber(text) ? checkText('number bytes', text) : 'number bytes';
}

function checkTtl(ttlNs: bigint | undefined): 'time to live' | undefined {
  return ttlNs === undefined || isTtl(ttlNs) ? undefined : 'time to live';
}

function checkCondition(condition: Condition | undefined): Bounded | undefined {
  if (condition === undefined) return undefined;
  return checkVersions(condition.ifMatch) ?? checkVersions(condition.ifNoneMatch);
}

function checkVersions(versions: Versions | undefined): Bounded | undefined {
  if (versions === undefined || versions === '*') return undefined;
  if (!isWithin('versions', versions.length)) return 'versions';
  return versions.every(({ length }) => isWithin('version bytes', length))
    ? undefined
    : 'version bytes';
}
