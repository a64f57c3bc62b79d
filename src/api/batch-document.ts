/** The body of a batch: a JSON array of operations, each an object that names an action and its key. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { checkInPieces } from '../base/json/check.ts';
import type { Range } from '../base/json/range.ts';
import { Children, kindOf, OVER, Pace, PAUSE, type Steps } from '../base/json/scan.ts';
import { keyFromText, type Key } from '../base/key.ts';
import {
  BATCH_OPERATIONS_MAX,
  ENTITY_TAG_CHARS_MAX,
  ENTITY_TAGS_MAX,
  KEY_BYTES_MAX,
} from '../base/limits.ts';
import type { Condition, Pointer, Request, Versions } from '../record/request.ts';
import { decode, pointerOf, ttlOf } from './document.ts';
import { checkKey } from './key.ts';

/** What is to be done at one position: a request, or why what stands there is none. */
export type Operation = Request | Failure;

/** A delete that names no version: it does nothing, and says so, where there is no record. */
export const ANY_VERSION: Condition = { ifMatch: '*' };

/** Text up to this length is made a string as a whole, of which its parts are cheap slices. */
const SLICED_BYTES_MAX = 64 * 1024;

/** A list of as many tags as there may be, each character written as an escape. */
const VERSIONS_BYTES_MAX = ENTITY_TAGS_MAX * (6 * ENTITY_TAG_CHARS_MAX + 4);

/** What all operations have. */
interface Target {
  readonly key: Key;
  readonly condition: Condition | undefined;
  readonly pointer: Pointer | undefined;
}

/** The members of an operation, where they are given. */
type Members = Record<MemberName, Range | undefined>;
type MemberName =
  | 'data'
  | 'delete'
  | 'expire_time'
  | 'if_match'
  | 'if_none_match'
  | 'load'
  | 'pointer'
  | 'store';

const NO_MEMBERS: Members = {
  data: undefined,
  delete: undefined,
  expire_time: undefined,
  if_match: undefined,
  if_none_match: undefined,
  load: undefined,
  pointer: undefined,
  store: undefined,
};

/**
 * Reads a batch, in pieces. What cannot be understood as a whole refuses the batch; what is wrong with
 * the values of one operation is that operation's failure alone.
 */
export function* readBatch(
  body: Buffer,
  valueBytesMax: number,
): Steps<readonly Operation[] | Failure> {
  const checked = yield* checkInPieces(body, []);
  if (isFailure(checked)) return checked;
  if (kindOf(body, checked.root.start) !== 'array') {
    return failure('MALFORMED_BODY', 'the body is not an array of operations');
  }
  const reader = new OperationReader(body, valueBytesMax);
  const operations: Operation[] = [];
  const elements = new Children(body, checked.root, reader.pace);
  for (let found = elements.next(); found !== OVER; found = elements.next()) {
    if (found === PAUSE) {
      yield;
      continue;
    }
    if (operations.length === BATCH_OPERATIONS_MAX) {
      const detail = `a batch has at most ${BATCH_OPERATIONS_MAX} operations`;
      return failure('TOO_MANY_OPERATIONS', detail);
    }
    const operation = yield* reader.read(elements.value);
    if (typeof operation === 'string') {
      return failure('MALFORMED_BODY', `operation ${operations.length} ${operation}`);
    }
    operations.push(operation);
  }
  return operations;
}

class OperationReader {
  readonly pace = new Pace();
  readonly #body: Buffer;
  readonly #valueBytesMax: number;
  /** The body, a character a byte, if it is short. */
  readonly #text: string | undefined;

  constructor(body: Buffer, valueBytesMax: number) {
    this.#body = body;
    this.#valueBytesMax = valueBytesMax;
    this.#text = body.length > SLICED_BYTES_MAX ? undefined : body.toString('latin1');
  }

  /** The operation in `range`, or what is wrong with its shape. */
  *read(range: Range): Steps<Operation | string> {
    if (kindOf(this.#body, range.start) !== 'object') return 'is not an object';
    const members = { ...NO_MEMBERS };
    const children = new Children(this.#body, range, this.pace);
    for (let found = children.next(); found !== OVER; found = children.next()) {
      if (found === PAUSE) {
        yield;
        continue;
      }
      const name = this.#string(children.name);
      if (!Object.hasOwn(members, name)) return `has a member that none has: ${name.slice(0, 100)}`;
      members[name as MemberName] = children.value;
    }
    return this.#operation(members);
  }

  #operation(members: Members): Operation | string {
    const { load, store, delete: removal } = members;
    const target = load ?? store ?? removal;
    const actions =
      Number(load !== undefined) + Number(store !== undefined) + Number(removal !== undefined);
    if (target === undefined || actions !== 1) return 'has not exactly one of load, store, delete';
    if (store === undefined && (members.data ?? members.expire_time) !== undefined) {
      return 'has data or expire_time and is no store';
    }
    if (kindOf(this.#body, target.start) !== 'string') return 'has a key that is no string';
    const key = this.#key(target);
    if (typeof key !== 'string') return key;
    const condition = this.#condition(members);
    if (condition !== undefined && isFailure(condition)) return condition;
    const pointer = members.pointer && pointerOf(this.#body, members.pointer);
    if (typeof pointer === 'object') return pointer;
    if (load !== undefined) return { action: 'load', key, condition, pointer };
    if (store !== undefined) return this.#store({ key, condition, pointer }, members);
    if (pointer !== undefined) return { action: 'delete', key, condition, pointer };
    return { action: 'delete', key, condition: condition ?? ANY_VERSION };
  }

  #store({ key, condition, pointer }: Target, members: Members): Operation | string {
    const { data, expire_time: expireTime } = members;
    if (data === undefined) return 'is a store without data';
    if (data.end - data.start > this.#valueBytesMax) {
      return failure('VALUE_TOO_LARGE', `a value has at most ${this.#valueBytesMax} bytes`);
    }
    const ttlNs = ttlOf(this.#body, expireTime);
    if (typeof ttlNs === 'object') return ttlNs;
    const value = { bytes: this.#body, start: data.start, end: data.end };
    return pointer === undefined
      ? { action: 'store', key, value, ttlNs: ttlNs ?? 0n, condition }
      : { action: 'store', key, value, ttlNs, condition, pointer };
  }

  #condition(members: Members): Condition | Failure | undefined {
    const { if_match: match, if_none_match: noneMatch } = members;
    if (match === undefined && noneMatch === undefined) return undefined;
    const ifMatch = match && this.#versions(match);
    const ifNoneMatch = noneMatch && this.#versions(noneMatch);
    if (ifMatch !== null && ifNoneMatch !== null) return { ifMatch, ifNoneMatch };
    const expected = `"*", a tag without its quotes, or a list of at most ${ENTITY_TAGS_MAX}`;
    const name = ifMatch === null ? 'if_match' : 'if_none_match';
    return failure('INVALID_CONDITION', `${name} is ${expected}`);
  }

  #versions(range: Range): Versions | null {
    return versionsFrom(decode(this.#body, range, VERSIONS_BYTES_MAX));
  }

  /** The key that a string names. */
  #key(range: Range): Key | Failure {
    const written = this.#slice(range.start + 1, range.end - 1);
    // Unescaped, the bytes of the text are those of the key.
    if (!written.includes('\\')) return checkKey(written as Key);
    const text = decode(this.#body, range, 6 * KEY_BYTES_MAX + 2) as string | undefined;
    const key = text === undefined ? undefined : keyFromText(text);
    if (key !== undefined) return checkKey(key);
    return failure('INVALID_KEY', 'the key is too long or has a lone surrogate');
  }

  #string(range: Range): string {
    const written = this.#slice(range.start + 1, range.end - 1);
    return written.includes('\\') ? String(decode(this.#body, range)) : written;
  }

  #slice(start: number, end: number): string {
    return this.#text?.slice(start, end) ?? this.#body.toString('latin1', start, end);
  }
}

/** The versions that a condition lists; null if it lists none. */
function versionsFrom(written: unknown): Versions | null {
  if (written === '*') return '*';
  const list: unknown[] = Array.isArray(written) ? written : [written];
  return list.length <= ENTITY_TAGS_MAX && list.every(isTag) ? list : null;
}

function isTag(written: unknown): written is string {
  if (typeof written !== 'string' || written.length > ENTITY_TAG_CHARS_MAX) return false;
  return /^[\x21\x23-\x7e]*$/.test(written);
}
