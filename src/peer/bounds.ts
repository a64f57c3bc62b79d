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
  REQUEST_ID_CHARS_MAX,
  TRACE_CHARS,
  TTL_NS_MAX,
  VALUE_BYTES_MAX,
  WATCHED_MAX,
} from '../base/limits.ts';
import { isRequestId, parseTrace, traceText, type RequestNames } from '../base/request-names.ts';
import { isNumber } from '../record/decimal.ts';
import { checkPointer } from '../record/pointer.ts';
import type { Condition, Request, Versions } from '../record/request.ts';
import { ProtocolError } from './frame.ts';

/** The least and the most of a number, or of a length. */
export interface Bound {
  /** As an error names it. */
  readonly name: string;
  readonly least: number;
  readonly most: number;
}

function bound(name: string, least: number, most: number): Bound {
  return { name, least, most };
}

/** Each number and each length that travels; characters of text take up to three bytes. */
export const BOUNDS = {
  keyBytes: bound('key bytes', 1, KEY_BYTES_MAX),
  valueBytes: bound('value bytes', 1, VALUE_BYTES_MAX),
  itemBytes: bound('item bytes', 0, 3 * ITEM_CHARS_MAX),
  pointerBytes: bound('pointer bytes', 0, 3 * POINTER_CHARS_MAX),
  numberBytes: bound('number bytes', 1, NUMBER_CHARS_MAX),
  detailBytes: bound('detail bytes', 0, 3 * DETAIL_CHARS_MAX),
  versions: bound('versions', 0, ENTITY_TAGS_MAX),
  versionBytes: bound('version bytes', 0, HEADER_BYTES_MAX),
  index: bound('index', 0, Number.MAX_SAFE_INTEGER),
  listLength: bound('list length', 0, Number.MAX_SAFE_INTEGER),
  watched: bound('watched keys', 0, WATCHED_MAX),
  prefixBytes: bound('prefix bytes', 0, KEY_BYTES_MAX),
  changeNumber: bound('number of a change', 0, Number.MAX_SAFE_INTEGER),
  requestIdBytes: bound('request id bytes', 1, REQUEST_ID_CHARS_MAX),
  traceBytes: bound('trace bytes', TRACE_CHARS, TRACE_CHARS),
  metaNumber: bound('meta number', 0, Number.MAX_SAFE_INTEGER),
};

export type Field = keyof typeof BOUNDS;

/** Whether a whole number is within its bounds. */
export function isWithin({ least, most }: Bound, value: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

/**
 * The number, as it was read.
 *
 * @throws ProtocolError if it is out of its bounds.
 */
export function within(limits: Bound, value: number): number {
  if (isWithin(limits, value)) return value;
  throw new ProtocolError(`${limits.name}: ${value}`);
}

/** Whether a time to live is one. */
export function isTtl(ttlNs: bigint): boolean {
  return ttlNs === 0n || (ttlNs > 0n && ttlNs <= TTL_NS_MAX);
}

/** Which field of a request the other end would refuse; undefined if it can be sent. */
export function unsendable(request: Request): string | undefined {
  if (!isWithin(BOUNDS.keyBytes, request.key.length)) return BOUNDS.keyBytes.name;
  return checkNames(request.names) ?? checkOwn(request);
}

/** As {@link unsendable}, for what a request has beside key and names. */
function checkOwn(request: Request): string | undefined {
  switch (request.action) {
    case 'index':
      return check(BOUNDS.index, request.index);
    case 'item':
      return checkText(BOUNDS.itemBytes, request.item);
    case 'load':
    case 'delete':
      return checkCondition(request.condition) ?? checkPointerOf(request);
    case 'store':
      return (
        checkCondition(request.condition) ??
        checkPointerOf(request) ??
        checkTtl(request.ttlNs) ??
        check(BOUNDS.valueBytes, request.value.end - request.value.start)
      );
    case 'patch':
      return (
        checkCondition(request.condition) ??
        checkTtl(request.ttlNs) ??
        check(BOUNDS.valueBytes, request.patch.end - request.patch.start)
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
        check(BOUNDS.listLength, request.maxLength ?? 0) ??
        check(BOUNDS.valueBytes, request.values.end - request.values.start)
      );
    case 'expire':
      return checkCondition(request.condition) ?? checkTtl(request.ttlNs);
  }
}

function checkNames(names: RequestNames | undefined): string | undefined {
  if (names === undefined) return undefined;
  if (!isRequestId(names.request)) return BOUNDS.requestIdBytes.name;
  const trace = traceText(names);
  return trace === '' || parseTrace(trace) !== undefined ? undefined : BOUNDS.traceBytes.name;
}

function check(limits: Bound, value: number): string | undefined {
  return isWithin(limits, value) ? undefined : limits.name;
}

function checkText(limits: Bound, text: string | undefined): string | undefined {
  return text === undefined ? undefined : check(limits, Buffer.byteLength(text));
}

function checkPointerOf({ pointer }: { pointer?: string | undefined }): string | undefined {
  const isFine = pointer === undefined || typeof checkPointer(pointer) === 'string';
  return isFine ? checkText(BOUNDS.pointerBytes, pointer) : BOUNDS.pointerBytes.name;
}

function checkNumber(text: string | undefined): string | undefined {
  return text === undefined || isNumber(text)
    ? checkText(BOUNDS.numberBytes, text)
    : BOUNDS.numberBytes.name;
}

function checkTtl(ttlNs: bigint | undefined): string | undefined {
  return ttlNs === undefined || isTtl(ttlNs) ? undefined : 'time to live';
}

function checkCondition(condition: Condition | undefined): string | undefined {
  if (condition === undefined) return undefined;
  return checkVersions(condition.ifMatch) ?? checkVersions(condition.ifNoneMatch);
}

function checkVersions(versions: Versions | undefined): string | undefined {
  if (versions === undefined || versions === '*') return undefined;
  if (!isWithin(BOUNDS.versions, versions.length)) return BOUNDS.versions.name;
  return versions.every(({ length }) => isWithin(BOUNDS.versionBytes, length))
    ? undefined
    : BOUNDS.versionBytes.name;
}
