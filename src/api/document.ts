/** What request bodies say: JSON objects, each with a few members that are checked here. */

import { parseDuration } from '../base/duration.ts';
import { failure, isFailure, type Failure } from '../base/errors.ts';
import { check, checkInPieces, type Checked } from '../base/json/check.ts';
import { nameBytes } from '../base/json/name.ts';
import type { Range } from '../base/json/range.ts';
import { kindOf } from '../base/json/scan.ts';
import {
  ITEM_CHARS_MAX,
  MEMBER_BYTES_MAX,
  POINTER_CHARS_MAX,
  SMALL_TEXT_BYTES_MAX,
} from '../base/limits.ts';
import type { Scheduler } from '../base/scheduler.ts';
import { checkPointer } from '../record/pointer.ts';
import { asKept, type ByteRange } from '../record/reply.ts';
import type { Pointer } from '../record/request.ts';
import { SCHEMAS, type ObjectName } from './schemas.ts';

/** A kind of document: the members that it may have, and what they mean. */
export interface DocumentForm<T> {
  /** Their names, as the check compares them. */
  readonly names: readonly Uint8Array[];
  /** Makes sense of the members, given in the order of the names. */
  read(body: Buffer, members: readonly (Range | undefined)[]): T | Failure;
}

/** The form of the documents of this schema: `read` gets the members in the order of its properties. */
export function documentForm<T>(name: ObjectName, read: DocumentForm<T>['read']): DocumentForm<T> {
  return { names: Object.keys(SCHEMAS[name].properties).map(nameBytes), read };
}

/** Reads a body that is valid JSON as a whole; a large one in pieces, while others are served. */
export function readDocument<T>(
  form: DocumentForm<T>,
  body: Buffer,
  scheduler: Scheduler,
  isGone: () => boolean,
): T | Failure | Promise<T | Failure> {
  if (body.length <= SMALL_TEXT_BYTES_MAX) return readSmallDocument(form, body);
  return scheduler
    .run('client', checkInPieces(body, form.names), isGone)
    .then((checked) => readChecked(form, body, checked));
}

/** As {@link readDocument}, in one piece. */
export function readSmallDocument<T>(form: DocumentForm<T>, body: Buffer): T | Failure {
  if (body.length === 0) return failure('MALFORMED_BODY', 'the body is empty');
  return readChecked(form, body, check(body, form.names));
}

function readChecked<T>(
  form: DocumentForm<T>,
  body: Buffer,
  checked: Checked | Failure,
): T | Failure {
  if (isFailure(checked)) return checked;
  if (kindOf(body, checked.root.start) !== 'object') {
    return failure('MALFORMED_BODY', 'the body is not an object');
  }
  return form.read(body, checked.members);
}

/** The document `{"data": <any JSON>, "expire_time": "10s"}` that stores a record. */
export interface StoreDocument {
  /** The JSON text of `data`, byte for byte, inside the body. */
  readonly value: ByteRange;
  /** Nanoseconds, 0 for a record that stays; undefined where nothing is said. */
  readonly ttlNs: bigint | undefined;
}

export const STORE_DOCUMENT = documentForm<StoreDocument>('Store', (body, [data, expireTime]) => {
  if (data === undefined) return failure('MALFORMED_BODY', 'the body has no member "data"');
  const ttlNs = ttlOf(body, expireTime);
  if (typeof ttlNs === 'object') return ttlNs;
  return { value: asKept({ bytes: body, start: data.start, end: data.end }), ttlNs };
});

/** Nanoseconds from the member `expire_time`; undefined where there is none. */
export function ttlOf(body: Buffer, expireTime: Range | undefined): bigint | Failure | undefined {
  return expireTime && parseTtl(decode(body, expireTime));
}

/** Nanoseconds from what `expire_time` says. */
export function parseTtl(expireTime: unknown): bigint | Failure {
  const ns = typeof expireTime === 'string' ? parseDuration(expireTime) : undefined;
  // What is positive and rounds to nothing must not become a record that stays.
  const isLost = ns === 0n && /[1-9]/.test(expireTime as string);
  if (ns !== undefined && ns >= 0n && !isLost) return ns;
  const form = 'a string such as "1m30s", not negative';
  const detail = `expire_time is ${form}; its units are h, m, s, ms, us, ns`;
  return failure('INVALID_EXPIRE_TIME', detail);
}

/** `{"index": 2}`. */
export const INDEX_DOCUMENT = documentForm<number>('Index', (body, [index]) =>
  checkIndex(decode(body, index)),
);

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

/** `{"item": "user"}`. */
export const ITEM_DOCUMENT = documentForm<string>('Item', (body, [item]) =>
  // The longest way to write a character is an escape of six bytes.
  parseItem(decode(body, item, 6 * ITEM_CHARS_MAX + 2)),
);

/** Checks the name of a member. */
export function parseItem(item: unknown): string | Failure {
  if (typeof item === 'string' && item.length <= ITEM_CHARS_MAX) return item;
  return failure('INVALID_ITEM', `item is a string of at most ${ITEM_CHARS_MAX} characters`);
}

/** The pointer in the member `pointer`; the whole where there is none. */
export function pointerOf(body: Buffer, pointer: Range | undefined): Pointer | Failure {
  if (pointer === undefined) return '';
  const text = decode(body, pointer, 6 * POINTER_CHARS_MAX + 2);
  if (typeof text === 'string') return checkPointer(text);
  return failure(
    'INVALID_POINTER',
    `pointer is a string of at most ${POINTER_CHARS_MAX} characters`,
  );
}

/** The value of a member; undefined where there is none, or none that is small enough. */
export function decode(
  body: Buffer,
  range: Range | undefined,
  bytesMax: number = MEMBER_BYTES_MAX,
): unknown {
  if (range === undefined || range.end - range.start > bytesMax) return undefined;
  return JSON.parse(body.toString('utf8', range.start, range.end));
}
