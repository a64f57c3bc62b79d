/** The body of a batch: a JSON array of operations, each an object that names an action and its key. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { checkFor, type MemberSink } from '../base/json/check.ts';
import { nameAt, nameBytes } from '../base/json/name.ts';
import type { Range } from '../base/json/range.ts';
import { kindOf, type Steps } from '../base/json/scan.ts';
import { keyFromText, type Key } from '../base/key.ts';
import {
  BATCH_OPERATIONS_MAX,
  ENTITY_TAG_CHARS_MAX,
  ENTITY_TAGS_MAX,
  KEY_BYTES_MAX,
} from '../base/limits.ts';
import { Text } from '../base/view.ts';
import { asKept } from '../record/reply.ts';
import type { Condition, Pointer, Request, Versions } from '../record/request.ts';
import { decode, pointerOf, ttlOf } from './document.ts';
import { checkKey } from './key.ts';

/** What is to be done at one position: a request, or why what stands there is none. */
export type Operation = Request | Failure;

/** A delete that names no version: it does nothing, and says so, where there is no record. */
export const ANY_VERSION: Condition = { ifMatch: '*' };

/** A list of as many tags as there may be, each character written as an escape. */
const VERSIONS_BYTES_MAX = ENTITY_TAGS_MAX * (6 * ENTITY_TAG_CHARS_MAX + 4);

/** A key, each byte written as an escape. */
const WRITTEN_KEY_BYTES_MAX = 6 * KEY_BYTES_MAX + 2;

/** What is shown of a member that no operation has. */
const SHOWN_NAME_BYTES_MAX = 100;

/** The shortest operation with its comma: `{"load":""},`. */
const OPERATION_BYTES_MIN = 12;

/** The members that an operation may have, by number: those that are most often there are looked for first. */
const POINTER = 0;
const IF_NONE_MATCH = 1;
const IF_MATCH = 2;
const EXPIRE_TIME = 3;
const DELETE = 4;
const DATA = 5;
const STORE = 6;
const LOAD = 7;
const NAMES = [
  'pointer',
  'if_none_match',
  'if_match',
  'expire_time',
  'delete',
  'data',
  'store',
  'load',
].map(nameBytes);

/** Beside the bits of the members: the key is written without escapes. */
const PLAIN_KEY = 1 << 8;

const PLAIN_LOAD = (1 << LOAD) | PLAIN_KEY;
const PLAIN_STORE = (1 << STORE) | (1 << DATA) | PLAIN_KEY;

/** Members that are keys. */
const KEYS = (1 << LOAD) | (1 << STORE) | (1 << DELETE);
/** Members that only a store has. */
const OF_STORE = (1 << DATA) | (1 << EXPIRE_TIME);

const QUOTE = 0x22;
const CLOSING_BRACE = 0x7d;

/**
 * Reads a batch, in pieces. What cannot be understood as a whole refuses the batch; what is wrong with
 * the values of one operation is that operation's failure alone.
 */
export function* readBatch(body: Buffer, valueBytesMax: number): Steps<Operations | Failure> {
  const operations = new Operations(body, valueBytesMax);
  const root = yield* checkFor(body, operations);
  if ('status' in root) return root;
  if (kindOf(body, root.start) !== 'array') {
    return failure('MALFORMED_BODY', 'the body is not an array of operations');
  }
  return operations.refusal ?? operations;
}

/** Places of operations that are kept for the next batch, if they take no more than this. */
const SPARE_PLACES_MAX = 16 * 1024;
let sparePlaces: Int32Array | undefined;

/** The operations of a batch: where in its body the values of their members are. */
export class Operations implements MemberSink {
  readonly level = 2;
  /** The body. */
  readonly text: Text;
  readonly #valueBytesMax: number;
  /** The beginning and the end of each member of each operation, of those that it has. */
  #places: Int32Array;
  /** Which members each operation has, a bit each, and {@link PLAIN_KEY}. */
  readonly #members: Uint16Array;
  #count = 0;
  /** Why the operation behind the last is none. */
  #problem: string | undefined;
  #areTooMany = false;

  constructor(body: Buffer, valueBytesMax: number) {
    this.text = new Text(body);
    this.#valueBytesMax = valueBytesMax;
    const room = Math.min(Math.ceil(body.length / OPERATION_BYTES_MIN), BATCH_OPERATIONS_MAX);
    this.#places = takePlaces(placeOf(room, 0));
    this.#members = new Uint16Array(room);
  }

  /** Gives its memory to the next batch: nothing may be asked any more. */
  free(): void {
    if (this.#places.length <= SPARE_PLACES_MAX) sparePlaces = this.#places;
    this.#places = NO_PLACES;
  }

  get count(): number {
    return this.#count;
  }

  member(nameStart: number, nameEnd: number, start: number, end: number, isPlain: boolean): void {
    if (this.#isOver) return;
    const member = nameAt(this.text.bytes, nameStart, nameEnd, NAMES);
    if (member < 0) {
      const shownEnd = Math.min(nameEnd - 1, nameStart + SHOWN_NAME_BYTES_MAX);
      const name = this.text.bytes.toString('utf8', nameStart + 1, shownEnd);
      this.#problem = `has a member that none has: ${name}`;
      return;
    }
    const place = placeOf(this.#count, member);
    this.#places[place] = start;
    this.#places[place + 1] = end;
    let members = this.#members[this.#count]! | (1 << member);
    // Of several keys the last counts, if they are of one kind; else there is no operation.
    if (((1 << member) & KEYS) !== 0) {
      members = isPlain ? members | PLAIN_KEY : members & ~PLAIN_KEY;
    }
    this.#members[this.#count] = members;
  }

  close(end: number): void {
    if (this.#isOver) return;
    if (this.text.bytes[end - 1] !== CLOSING_BRACE) this.#problem = 'is not an object';
    else if (this.#count === BATCH_OPERATIONS_MAX) this.#areTooMany = true;
    else {
      this.#problem = this.#formProblem(this.#count);
      if (this.#problem === undefined) this.#count++;
    }
  }

  get #isOver(): boolean {
    return this.#problem !== undefined || this.#areTooMany;
  }

  /** Why nothing of the batch may be done. */
  get refusal(): Failure | undefined {
    if (this.#areTooMany) {
      const detail = `a batch has at most ${BATCH_OPERATIONS_MAX} operations`;
      return failure('TOO_MANY_OPERATIONS', detail);
    }
    if (this.#problem === undefined) return undefined;
    return failure('MALFORMED_BODY', `operation ${this.#count} ${this.#problem}`);
  }

  #formProblem(at: number): string | undefined {
    const members = this.#members[at]!;
    const isStore = (members & (1 << STORE)) !== 0;
    const keys = members & KEYS;
    // A power of two is one bit.
    if (keys === 0 || (keys & (keys - 1)) !== 0) {
      return 'has not exactly one of load, store, delete';
    }
    if (!isStore && (members & OF_STORE) !== 0) return 'has data or expire_time and is no store';
    if (this.text.bytes[this.#places[this.#keyPlace(at)]!] !== QUOTE) {
      return 'has a key that is no string';
    }
    return isStore && !this.#has(at, DATA) ? 'is a store without data' : undefined;
  }

  /** Whether an operation is a load of a whole value, or a store for good, without conditions. */
  kindOf(at: number): 'load' | 'store' | 'other' {
    const members = this.#members[at];
    if (members === PLAIN_LOAD) return 'load';
    return members === PLAIN_STORE ? 'store' : 'other';
  }

  /** Where the key of an operation lies that is written without escapes; undefined if it cannot be one. */
  keyRange(at: number): Range | undefined {
    const place = this.#keyPlace(at);
    const start = this.#places[place]! + 1;
    const end = this.#places[place + 1]! - 1;
    return end > start && end - start <= KEY_BYTES_MAX ? { start, end } : undefined;
  }

  /** Where the value of a store lies; undefined if it is too large. */
  valueRange(at: number): Range | undefined {
    const range = this.#range(at, DATA)!;
    return range.end - range.start <= this.#valueBytesMax ? range : undefined;
  }

  /** The operation at a position, made anew each time. */
  operation(at: number): Operation {
    const key = this.#key(at);
    if (typeof key !== 'string') return key;
    const condition = this.#condition(at);
    if (condition !== undefined && isFailure(condition)) return condition;
    const written = this.#range(at, POINTER);
    const pointer = written && pointerOf(this.text.bytes, written);
    if (typeof pointer === 'object') return pointer;
    if (this.#has(at, LOAD)) return { action: 'load', key, condition, pointer };
    if (this.#has(at, STORE)) return this.#store(at, key, condition, pointer);
    if (pointer !== undefined) return { action: 'delete', key, condition, pointer };
    return { action: 'delete', key, condition: condition ?? ANY_VERSION };
  }

  #store(
    at: number,
    key: Key,
    condition: Condition | undefined,
    pointer: Pointer | undefined,
  ): Operation {
    const { start, end } = this.#range(at, DATA)!;
    if (end - start > this.#valueBytesMax) {
      return failure('VALUE_TOO_LARGE', `a value has at most ${this.#valueBytesMax} bytes`);
    }
    const ttlNs = ttlOf(this.text.bytes, this.#range(at, EXPIRE_TIME));
    if (typeof ttlNs === 'object') return ttlNs;
    const value = asKept({ bytes: this.text.bytes, start, end });
    return pointer === undefined
      ? { action: 'store', key, value, ttlNs: ttlNs ?? 0n, condition }
      : { action: 'store', key, value, ttlNs, condition, pointer };
  }

  #condition(at: number): Condition | Failure | undefined {
    if (!this.#has(at, IF_MATCH) && !this.#has(at, IF_NONE_MATCH)) return undefined;
    const ifMatch = this.#versions(at, IF_MATCH);
    const ifNoneMatch = this.#versions(at, IF_NONE_MATCH);
    if (ifMatch !== null && ifNoneMatch !== null) return { ifMatch, ifNoneMatch };
    const expected = `"*", a tag without its quotes, or a list of at most ${ENTITY_TAGS_MAX}`;
    const name = ifMatch === null ? 'if_match' : 'if_none_match';
    return failure('INVALID_CONDITION', `${name} is ${expected}`);
  }

  #versions(at: number, member: number): Versions | null | undefined {
    const range = this.#range(at, member);
    return range && versionsFrom(decode(this.text.bytes, range, VERSIONS_BYTES_MAX));
  }

  #key(at: number): Key | Failure {
    const place = this.#keyPlace(at);
    const start = this.#places[place]!;
    const end = this.#places[place + 1]!;
    if (end - start <= WRITTEN_KEY_BYTES_MAX) {
      // Unescaped, the bytes of the text are those of the key.
      if ((this.#members[at]! & PLAIN_KEY) !== 0) {
        return checkKey(this.text.bytes.toString('latin1', start + 1, end - 1) as Key);
      }
      const text = decode(this.text.bytes, { start, end }, WRITTEN_KEY_BYTES_MAX) as string;
      const key = keyFromText(text);
      if (key !== undefined) return checkKey(key);
    }
    return failure('INVALID_KEY', 'the key is too long or has a lone surrogate');
  }

  #keyPlace(at: number): number {
    if (this.#has(at, LOAD)) return placeOf(at, LOAD);
    return placeOf(at, this.#has(at, STORE) ? STORE : DELETE);
  }

  #range(at: number, member: number): Range | undefined {
    if (!this.#has(at, member)) return undefined;
    const place = placeOf(at, member);
    return { start: this.#places[place]!, end: this.#places[place + 1]! };
  }

  #has(at: number, member: number): boolean {
    return (this.#members[at]! & (1 << member)) !== 0;
  }
}

/** Where the beginning of a member of an operation is noted. */
function placeOf(operation: number, member: number): number {
  return (operation * NAMES.length + member) * 2;
}

const NO_PLACES = new Int32Array(0);

/** Memory for so many places, in which there may be anything. */
function takePlaces(count: number): Int32Array {
  const spare = sparePlaces;
  sparePlaces = undefined;
  return spare !== undefined && spare.length >= count ? spare : new Int32Array(count);
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
