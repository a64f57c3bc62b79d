import fc from 'fast-check';
import { expect, test } from 'vitest';

import { array, NAMES, object } from '../../../test/support/json.ts';
import { isNamed, nameBytes } from './name.ts';
import type { Range } from './range.ts';
import {
  CHILD,
  Children,
  depthOf,
  findElement,
  findMember,
  finish,
  kindOf,
  OVER,
  Pace,
} from './scan.ts';

const wholeOf = (bytes: Buffer): Range => ({ start: 0, end: bytes.length });
const element = (bytes: Buffer, index: number) =>
  finish(findElement(bytes, wholeOf(bytes), index, new Pace()));
const member = (bytes: Buffer, name: string) =>
  finish(findMember(bytes, wholeOf(bytes), nameBytes(name), new Pace()));

/** The names and values of an object, or of whatever the bytes are. */
function membersOf(
  bytes: Uint8Array,
  range: Range,
  pace = new Pace(),
): { name: Range; value: Range }[] {
  const children = new Children(bytes, range, pace);
  const members = [];
  for (let found = children.next(); found !== OVER; found = children.next()) {
    if (found === CHILD) members.push({ name: children.name, value: children.value });
  }
  return members;
}

const slice = (bytes: Buffer, range: Range) => bytes.toString('utf8', range.start, range.end);

test('an element is the one that JSON.parse gives, without white space around it', () => {
  fc.assert(
    fc.property(array, (text) => {
      const bytes = Buffer.from(text);
      const elements: unknown[] = JSON.parse(text);
      for (const [index, wanted] of elements.entries()) {
        const found = slice(bytes, element(bytes, index)!);
        expect(JSON.parse(found)).toEqual(wanted);
        expect(found).toBe(found.trim());
      }
      expect(element(bytes, elements.length)).toBeUndefined();
    }),
  );
});

test('a member is the one that JSON.parse gives, without white space around it', () => {
  fc.assert(
    fc.property(object, (text) => {
      const bytes = Buffer.from(text);
      const parsed: Record<string, unknown> = JSON.parse(text);
      for (const wanted of [...NAMES, 'dat', 'data2', 'toString', '\ufffd']) {
        const range = member(bytes, wanted);
        expect(range !== undefined).toBe(Object.hasOwn(parsed, wanted));
        if (range === undefined) continue;
        const found = slice(bytes, range);
        expect(JSON.parse(found)).toEqual(Object.getOwnPropertyDescriptor(parsed, wanted)?.value);
        expect(found).toBe(found.trim());
      }
    }),
  );
});

test('members have the names that JSON.parse gives', () => {
  fc.assert(
    fc.property(object, (text) => {
      const bytes = Buffer.from(text);
      const names = new Set<unknown>();
      for (const { name } of membersOf(bytes, wholeOf(bytes))) {
        const decoded: string = JSON.parse(slice(bytes, name));
        expect(isNamed(bytes, name, nameBytes(decoded))).toBe(true);
        expect(isNamed(bytes, name, nameBytes(`${decoded}x`))).toBe(false);
        names.add(decoded);
      }
      expect(names).toEqual(new Set(Object.keys(JSON.parse(text))));
    }),
  );
});

test('the text around a value does not matter', () => {
  fc.assert(
    fc.property(object, array, (inner, other) => {
      const before = Buffer.from(`{"x":${other},"y":`);
      const bytes = Buffer.from(`${before.toString()}${inner},"data":${other}}`);
      const end = before.length + Buffer.byteLength(inner);
      const inside = Buffer.from(inner);
      const alone = member(inside, 'data');
      const found = finish(
        findMember(bytes, { start: before.length, end }, nameBytes('data'), new Pace()),
      );
      expect(found && slice(bytes, found)).toBe(alone && slice(inside, alone));
    }),
  );
});

test.each([
  ['{"data": 1, "data": {"data": 2}}', 'data', '{"data": 2}'],
  ['{"us\\u0065r": 1}', 'user', '1'],
  ['{"\\ud83d\\uDE00": 1}', '😀', '1'],
  ['{"😀": 1}', '😀', '1'],
  ['{"__proto__": 1.0}', '__proto__', '1.0'],
  ['{"\ufffd": 1}', '\ud800', undefined],
  ['{"a": {"b": 1}}', 'b', undefined],
  ['{"a": "\\"b\\": 1"}', 'b', undefined],
  ['{ }', '', undefined],
  ['{"" : 12345678901234567890 }', '', '12345678901234567890'],
])('in %s the member %j is %s', (text, wanted, expected) => {
  const bytes = Buffer.from(text);
  const range = member(bytes, wanted);
  expect(range && slice(bytes, range)).toBe(expected);
});

test.each([
  ['{}', 'object'],
  ['[]', 'array'],
  ['""', 'string'],
  ['0', 'number'],
  ['-1', 'number'],
  ['true', 'boolean'],
  ['false', 'boolean'],
  ['null', 'null'],
])('%s is of the kind %s', (text, kind) => {
  expect(kindOf(Buffer.from(text), 0)).toBe(kind);
});

test('deep nesting does not recurse', () => {
  const depth = 200_000;
  const bytes = Buffer.from(`[${'['.repeat(depth)}${']'.repeat(depth)}, 1]`);
  expect(element(bytes, 1)).toEqual({
    start: bytes.length - 2,
    end: bytes.length - 1,
  });
});

test('a value that is cut off ends where the bytes do', () => {
  expect(element(Buffer.from('[[1, 2'), 0)).toEqual({ start: 1, end: 6 });
  expect(element(Buffer.from('["a\\'), 0)).toEqual({ start: 1, end: 4 });
});

test('on bytes that are not JSON it stays within bounds and ends', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc
      .string({ unit: fc.constantFrom(...Array.from('{}[]",:\\ a1')), maxLength: 64 })
      .map((text) => Buffer.from(text)),
  );
  const limit = fc.nat(80);
  fc.assert(
    fc.property(noise, limit, limit, limit, (bytes, from, to, index) => {
      const end = Math.min(to, bytes.length);
      const start = Math.min(from, end);
      const ranges = [finish(findElement(bytes, { start, end }, index, new Pace()))];
      for (const { value } of membersOf(bytes, { start, end })) ranges.push(value);
      for (const range of ranges) {
        if (range === undefined) continue;
        expect(range.start).toBeGreaterThanOrEqual(start);
        expect(range.end).toBeGreaterThanOrEqual(range.start);
        expect(range.end).toBeLessThanOrEqual(end);
      }
    }),
  );
});

/** Pieces of a few bytes, so that there is a pause wherever there can be one. */
class ShortPace extends Pace {
  readonly #bytes: number;

  constructor(bytes: number) {
    super();
    this.#bytes = bytes;
    this.left = bytes;
  }

  override isOver(): boolean {
    if (this.left > 0) return false;
    this.left = this.#bytes;
    return true;
  }
}

test('wherever a scan pauses it finds the same', () => {
  fc.assert(
    fc.property(fc.oneof(object, array), fc.integer({ min: 1, max: 40 }), (text, pieceBytes) => {
      const bytes = Buffer.from(` ${text}`);
      const range = { start: 1, end: bytes.length };
      expect(membersOf(bytes, range, new ShortPace(pieceBytes))).toEqual(membersOf(bytes, range));
      const depth = finish(depthOf(bytes, range, new Pace()));
      expect(finish(depthOf(bytes, range, new ShortPace(pieceBytes)))).toBe(depth);
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ['1', 0],
  ['"[[["', 0],
  ['[]', 1],
  ['[{"a":[1,"]"]},[]]', 3],
  ['["\\"[", {}]', 2],
])('%s is %i deep', (text, depth) => {
  const bytes = Buffer.from(text);
  expect(finish(depthOf(bytes, wholeOf(bytes), new Pace()))).toBe(depth);
});
