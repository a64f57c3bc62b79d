/** JSON patch (RFC 6902): operations on a value, all of which are done or none. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { nameBytes } from '../base/json/name.ts';
import type { Range } from '../base/json/range.ts';
import { Children, kindOf, OVER, PAUSE, type Pace, type Steps } from '../base/json/scan.ts';
import { PATCH_OPERATIONS_MAX, POINTER_CHARS_MAX } from '../base/limits.ts';
import { isEqual } from './equal.ts';
import { nowhere, put, remove } from './place.ts';
import { checkPointer, follow, tokensOf } from './pointer.ts';
import type { ByteRange } from './reply.ts';
import type { Pointer } from './request.ts';
import { checkResult } from './result.ts';
import { splice, type Splice } from './splice.ts';

/** One operation, its members checked. */
type Operation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: Pointer; readonly value: ByteRange }
  | { readonly op: 'move' | 'copy'; readonly path: Pointer; readonly from: Pointer }
  | { readonly op: 'remove'; readonly path: Pointer };

/** What `patch`, valid JSON text, makes of `text`; `bytesMax` bounds it at every step. */
export function* jsonPatch(
  text: ByteRange,
  patch: ByteRange,
  bytesMax: number,
  pace: Pace,
): Steps<ByteRange | Failure> {
  const operations = yield* readOperations(patch, pace);
  if (isFailure(operations)) return operations;
  let result = text;
  for (const [position, operation] of operations.entries()) {
    const next = yield* operate(result, operation, bytesMax, pace);
    if (isFailure(next)) return failure(next.code, `operation ${position}: ${next.detail}`);
    result = next;
  }
  return result;
}

function* operate(
  text: ByteRange,
  operation: Operation,
  bytesMax: number,
  pace: Pace,
): Steps<ByteRange | Failure> {
  const { path } = operation;
  switch (operation.op) {
    case 'add':
    case 'replace': {
      const splices = yield* put(text, path, operation.value, operation.op, pace);
      return yield* apply(text, splices, operation.value, path, bytesMax, pace);
    }
    case 'remove': {
      const splices = yield* remove(text, path, pace);
      return isFailure(splices) ? splices : yield* splice(text, splices);
    }
    case 'copy':
    case 'move':
      return yield* transfer(text, operation, bytesMax, pace);
    case 'test': {
      const range = yield* follow(text, tokensOf(path), pace);
      if (range === undefined) return nowhere(path);
      const equal = yield* isEqual({ bytes: text.bytes, ...range }, operation.value, pace);
      if (typeof equal !== 'boolean') return equal;
      return equal
        ? text
        : failure('TEST_FAILED', `the value at ${JSON.stringify(path)} is another`);
    }
  }
}

function* transfer(
  text: ByteRange,
  { op, path, from }: Operation & { op: 'move' | 'copy' },
  bytesMax: number,
  pace: Pace,
): Steps<ByteRange | Failure> {
  const range = yield* follow(text, tokensOf(from), pace);
  if (range === undefined) return nowhere(from);
  const value = { bytes: text.bytes, start: range.start, end: range.end };
  if (op === 'move' && from === path) return text;
  let rest = text;
  if (op === 'move') {
    const removal = yield* remove(text, from, pace);
    if (isFailure(removal)) return removal;
    rest = yield* splice(text, removal);
  }
  const splices = yield* put(rest, path, value, 'add', pace);
  return yield* apply(rest, splices, value, path, bytesMax, pace);
}

function* apply(
  text: ByteRange,
  splices: Splice[] | Failure,
  value: ByteRange,
  path: Pointer,
  bytesMax: number,
  pace: Pace,
): Steps<ByteRange | Failure> {
  if (isFailure(splices)) return splices;
  const refusal = yield* checkResult(text, splices, value, path, bytesMax, pace);
  return refusal ?? (yield* splice(text, splices));
}

function* readOperations(patch: ByteRange, pace: Pace): Steps<Operation[] | Failure> {
  if (kindOf(patch.bytes, patch.start) !== 'array') return invalid('a JSON patch is a list');
  const operations: Operation[] = [];
  const children = new Children(patch.bytes, patch, pace);
  for (let next = children.next(); next !== OVER; next = children.next()) {
    if (next === PAUSE) {
      yield;
      continue;
    }
    if (operations.length === PATCH_OPERATIONS_MAX) {
      return invalid(`a patch has at most ${PATCH_OPERATIONS_MAX} operations`);
    }
    const operation = yield* readOperation(patch.bytes, children.value, pace);
    if (isFailure(operation)) {
      return failure(operation.code, `operation ${operations.length}: ${operation.detail}`);
    }
    operations.push(operation);
  }
  return operations;
}

const NAMES = ['op', 'path', 'from', 'value'] as const;
const NAME_BYTES = NAMES.map(nameBytes);

function* readOperation(bytes: Buffer, range: Range, pace: Pace): Steps<Operation | Failure> {
  if (kindOf(bytes, range.start) !== 'object') return invalid('an operation is an object');
  const members: (Range | undefined)[] = [];
  const children = new Children(bytes, range, pace);
  for (let next = children.next(); next !== OVER; next = children.next()) {
    if (next === PAUSE) {
      yield;
      continue;
    }
    const at = NAME_BYTES.findIndex((name) => children.isNamed(name));
    if (at >= 0) members[at] = children.value;
  }
  const [op, path, from, value] = members;
  return operationOf(
    textAt(bytes, op),
    textAt(bytes, path),
    textAt(bytes, from),
    value && { bytes, start: value.start, end: value.end },
  );
}

function operationOf(
  op: string | undefined,
  pathText: string | undefined,
  fromText: string | undefined,
  value: ByteRange | undefined,
): Operation | Failure {
  if (pathText === undefined) return invalid('an operation has a path, a JSON pointer');
  const path = checkPointer(pathText);
  if (typeof path !== 'string') return invalid(`path: ${path.detail}`);
  switch (op) {
    case 'add':
    case 'replace':
    case 'test':
      return value === undefined ? invalid(`${op} needs a value`) : { op, path, value };
    case 'remove':
      return { op, path };
    case 'move':
    case 'copy': {
      const from = fromText === undefined ? undefined : checkPointer(fromText);
      if (typeof from !== 'string') return invalid(`${op} needs from, a JSON pointer`);
      const isIntoItself = op === 'move' && path.startsWith(`${from}/`);
      return isIntoItself ? invalid('a value cannot be moved into itself') : { op, path, from };
    }
    case undefined:
    default:
      return invalid('op is add, remove, replace, move, copy or test');
  }
}

/** The text that a string stands for; undefined for anything else, or one that is too long. */
function textAt(bytes: Buffer, range: Range | undefined): string | undefined {
  // An escape takes six bytes at most, a character that is none three a char code.
  if (range === undefined || range.end - range.start > 6 * POINTER_CHARS_MAX + 2) return undefined;
  if (kindOf(bytes, range.start) !== 'string') return undefined;
  return JSON.parse(bytes.toString('utf8', range.start, range.end)) as string;
}

function invalid(detail: string): Failure {
  return failure('INVALID_PATCH', detail);
}
