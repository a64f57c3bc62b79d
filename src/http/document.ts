/** What request bodies say: JSON objects whose members are found, checked and cut out here. */

import { isAscii, isUtf8 } from 'node:buffer';

import { parseDuration } from '../duration.ts';
import { failure, isFailure, type Failure } from '../errors.ts';
import { isTooDeep } from '../json/depth.ts';
import { findMember, isNamed, kindOf, members, skipSpace, type Range } from '../json/scan.ts';
import { NESTING_MAX } from '../limits.ts';
import type { Slice } from '../store/request.ts';

/** The document `{"data": <any JSON>, "expire_time": "10s"}` that stores a record. */
export interface StoreDocument {
  /** The JSON text of `data`, byte for byte, inside the body. */
  readonly value: Slice;
  /** Nanoseconds; 0 for a record that stays. */
  readonly ttlNs: bigint;
}

/** Reads the body that stores a record. */
export function parseStoreDocument(body: Buffer): StoreDocument | Failure {
  const object = parseObject(body);
  if (isFailure(object)) return object;
  let data: Range | undefined;
  let expireTime: Range | undefined;
  for (const member of members(body, object.start, object.end)) {
    if (isNamed(body, member, 'data')) data = member.value;
    else if (isNamed(body, member, 'expire_time')) expireTime = member.value;
  }
  if (data === undefined) return failure('MALFORMED_BODY', 'the body has no member "data"');
  const ttlNs = expireTime === undefined ? 0n : parseTtl(parseRange(body, expireTime));
  if (ttlNs === undefined) {
    const form = 'a string such as "1m30s", not negative';
    return failure(
      'INVALID_EXPIRE_TIME',
      `expire_time is ${form}; its units are h, m, s, ms, us, ns`,
    );
  }
  return { value: { bytes: body, start: data.start, end: data.end }, ttlNs };
}

/** Nanoseconds from what `expire_time` says; undefined if that is no time to live. */
function parseTtl(expireTime: unknown): bigint | undefined {
  const ns = typeof expireTime === 'string' ? parseDuration(expireTime) : undefined;
  return ns === undefined || ns < 0n ? undefined : ns;
}

/** Reads `{"index": 2}`. */
export function parseIndexDocument(body: Buffer): number | Failure {
  const object = parseObject(body);
  if (isFailure(object)) return object;
  const range = findMember(body, object.start, object.end, 'index');
  return parseIndex(range && body.toString('latin1', range.start, range.end));
}

/** Reads a position in a list, counted from 0. */
export function parseIndex(text: string | undefined): number | Failure {
  if (text !== undefined && /^(0|[1-9]\d*)$/.test(text)) return Number(text);
  return failure('INVALID_INDEX', 'index is a whole number, 0 for the first element');
}

/** Reads `{"item": "user"}`. */
export function parseItemDocument(body: Buffer): string | Failure {
  const object = parseObject(body);
  if (isFailure(object)) return object;
  const range = findMember(body, object.start, object.end, 'item');
  const item = range && parseRange(body, range);
  return typeof item === 'string' ? item : failure('INVALID_ITEM', 'item is a string');
}

function parseRange(body: Buffer, range: Range): unknown {
  return JSON.parse(body.toString('utf8', range.start, range.end));
}

/** The range of the object that a body consists of, valid as a whole and not too deep. */
function parseObject(body: Buffer): Range | Failure {
  if (body.length === 0) return failure('MALFORMED_BODY', 'the body is empty');
  if (isTooDeep(body, 0, body.length, NESTING_MAX)) {
    return failure('NESTED_TOO_DEEPLY', `a body nests at most ${NESTING_MAX} arrays and objects`);
  }
  try {
    JSON.parse(decode(body));
  } catch (error) {
    return failure('MALFORMED_BODY', `the body is not valid JSON: ${(error as Error).message}`);
  }
  const start = skipSpace(body, 0, body.length);
  if (kindOf(body, start) !== 'object')
    return failure('MALFORMED_BODY', 'the body is not an object');
  return { start, end: body.length };
}

function decode(body: Buffer): string {
  if (isAscii(body)) return body.toString('latin1');
  if (isUtf8(body)) return body.toString('utf8');
  throw new SyntaxError('it is not UTF-8');
}
