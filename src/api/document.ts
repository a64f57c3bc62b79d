/** What request bodies say: JSON objects, each with a few members that are checked here. */

import { isAscii, isUtf8 } from 'node:buffer';

import { parseDuration } from '../base/duration.ts';
import { failure, isFailure, type Failure } from '../base/errors.ts';
import { isTooDeep } from '../base/json/depth.ts';
import { findMember, skipSpace } from '../base/json/scan.ts';
import { ITEM_CHARS_MAX, NESTING_MAX } from '../base/limits.ts';
import type { ByteRange } from '../record/reply.ts';

/** The document `{"data": <any JSON>, "expire_time": "10s"}` that stores a record. */
export interface StoreDocument {
  /** The JSON text of `data`, byte for byte, inside the body. */
  readonly value: ByteRange;
  /** Nanoseconds; 0 for a record that stays. */
  readonly ttlNs: bigint;
}

/** Reads the body that stores a record. */
export function parseStoreDocument(body: Buffer): StoreDocument | Failure {
  const document = parseObject(body);
  if (isFailure(document)) return document;
  const data = findMember(body, skipSpace(body, 0, body.length), body.length, 'data');
  if (data === undefined) return failure('MALFORMED_BODY', 'the body has no member "data"');
  const ttlNs = parseTtl(document.member('expire_time'));
  if (ttlNs === undefined) {
    const form = 'a string such as "1m30s", not negative';
    const detail = `expire_time is ${form}; its units are h, m, s, ms, us, ns`;
    return failure('INVALID_EXPIRE_TIME', detail);
  }
  return { value: { bytes: body, start: data.start, end: data.end }, ttlNs };
}

/** Nanoseconds from what `expire_time` says, if it is there; undefined if that is no time to live. */
function parseTtl(expireTime: unknown): bigint | undefined {
  if (expireTime === undefined) return 0n;
  const ns = typeof expireTime === 'string' ? parseDuration(expireTime) : undefined;
  if (ns === undefined || ns < 0n) return undefined;
  // What is positive and rounds to nothing must not become a record that stays.
  return ns === 0n && /[1-9]/.test(expireTime as string) ? undefined : ns;
}

/** Reads `{"index": 2}`. */
export function parseIndexDocument(body: Buffer): number | Failure {
  const document = parseObject(body);
  return isFailure(document) ? document : checkIndex(document.member('index'));
}

/** Reads a position in a list as a query parameter has it. */
export function parseIndex(text: string | undefined): number | Failure {
  // However many digits there are: Number() makes Infinity of some three hundred.
  const isNumber = text !== undefined && /^\d+$/.test(text);
  return checkIndex(isNumber ? Math.min(Number(text), Number.MAX_SAFE_INTEGER) : undefined);
}

function checkIndex(index: unknown): number | Failure {
  if (typeof index === 'number' && Number.isInteger(index) && index >= 0) {
    // No list is that long: what is past the end is so by any number.
    return Math.min(index, Number.MAX_SAFE_INTEGER);
  }
  return failure('INVALID_INDEX', 'index is a whole number, 0 for the first element');
}

/** Reads `{"item": "user"}`. */
export function parseItemDocument(body: Buffer): string | Failure {
  const document = parseObject(body);
  if (isFailure(document)) return document;
  return parseItem(document.member('item'));
}

/** Checks the name of a member. */
export function parseItem(item: unknown): string | Failure {
  if (typeof item === 'string' && item.length <= ITEM_CHARS_MAX) return item;
  return failure('INVALID_ITEM', `item is a string of at most ${ITEM_CHARS_MAX} characters`);
}

/** The members of a body. */
interface Document {
  /** The value of a member; undefined if there is none of that name. */
  member(name: string): unknown;
}

/** Parses a body that is one object, valid as a whole and not too deep. */
function parseObject(body: Buffer): Document | Failure {
  if (body.length === 0) return failure('MALFORMED_BODY', 'the body is empty');
  if (isTooDeep(body, 0, body.length, NESTING_MAX)) {
    return failure('NESTED_TOO_DEEPLY', `a body nests at most ${NESTING_MAX} arrays and objects`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(decode(body));
  } catch (error) {
    return failure('MALFORMED_BODY', `the body is not valid JSON: ${(error as Error).message}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return failure('MALFORMED_BODY', 'the body is not an object');
  }
  const members = parsed as Readonly<Record<string, unknown>>;
  return { member: (name) => (Object.hasOwn(members, name) ? members[name] : undefined) };
}

function decode(body: Buffer): string {
  if (isAscii(body)) return body.toString('latin1');
  if (isUtf8(body)) return body.toString('utf8');
  throw new SyntaxError('it is not UTF-8');
}
