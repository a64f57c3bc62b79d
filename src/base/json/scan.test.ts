import fc from 'fast-check';
import { expect, test } from 'vitest';

import { findElement, findMember, isNamed, kindOf, members, type Range } from './scan.ts';

// JSON text as anyone may send it: any white space, any escape, any spelling of a number, and few
// different names, so that some come twice.
const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r'), maxLength: 3 });

const escaped = (unit: string) =>
  Array.from(
    { length: unit.length },
    (_, at) => `\\u${unit.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('');

const character = fc.oneof(
  fc.constantFrom('a', '{', '}', '[', ']', ',', ':', ' ', 'é', '€', '😀', '\u2028', '\u007f'),
  fc.constantFrom('\\"', '\\\\', '\\/', '\\b', '\\f', '\\n', '\\r', '\\t', '\\ud83d', '\\uDE00'),
  fc.integer({ min: 0, max: 0xffff }).map((unit) => escaped(String.fromCharCode(unit))),
);
const string = fc.array(character, { maxLength: 8 }).map((units) => `"${units.join('')}"`);

const NAMES = ['', 'data', 'user', '__proto__', 'constructor', 'é', '😀', 'a"b', 'a\\b', '\ud800'];
const name = fc
  .tuple(fc.constantFrom(...NAMES), fc.infiniteStream(fc.boolean()))
  .map(([text, escapes]) => {
    const units = Array.from(text, (unit) =>
      escapes.next().value === true ? escaped(unit) : JSON.stringify(unit).slice(1, -1),
    );
    return `"${units.join('')}"`;
  });

const scalar = fc.oneof(
  string,
  fc.constantFrom('null', 'true', 'false', '0', '-0', '1.0', '1e400', '-2.5E-3'),
  fc.bigInt().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
);

const joined = (open: string, items: readonly string[], close: string) =>
  open + items.join(',') + close;
const padded = (text: fc.Arbitrary<string>) =>
  fc.tuple(space, text, space).map((parts) => parts.join(''));

const { array, object } = fc.letrec<{ value: string; array: string; object: string }>((tie) => {
  const member = fc.tuple(padded(name), padded(tie('value'))).map((parts) => parts.join(':'));
  return {
    value: fc.oneof({ maxDepth: 4 }, scalar, tie('array'), tie('object')),
    array: fc.oneof(
      space.map((text) => `[${text}]`),
      fc.array(padded(tie('value')), { minLength: 1 }).map((items) => joined('[', items, ']')),
    ),
    object: fc.oneof(
      space.map((text) => `{${text}}`),
      fc.array(member, { minLength: 1 }).map((items) => joined('{', items, '}')),
    ),
  };
});

const slice = (bytes: Buffer, range: Range) => bytes.toString('utf8', range.start, range.end);

test('an element is the one that JSON.parse gives, without white space around it', () => {
  fc.assert(
    fc.property(array, (text) => {
      const bytes = Buffer.from(text);
      const elements: unknown[] = JSON.parse(text);
      for (const [index, element] of elements.entries()) {
        const found = slice(bytes, findElement(bytes, 0, bytes.length, index)!);
        expect(JSON.parse(found)).toEqual(element);
        expect(found).toBe(found.trim());
      }
      expect(findElement(bytes, 0, bytes.length, elements.length)).toBeUndefined();
    }),
  );
});

test('a member is the one that JSON.parse gives, without white space around it', () => {
  fc.assert(
    fc.property(object, (text) => {
      const bytes = Buffer.from(text);
      const parsed: Record<string, unknown> = JSON.parse(text);
      for (const wanted of [...NAMES, 'dat', 'data2', 'toString', '\ufffd']) {
        const range = findMember(bytes, 0, bytes.length, wanted);
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
      for (const member of members(bytes, 0, bytes.length)) {
        const decoded: string = JSON.parse(slice(bytes, member.name));
        expect(isNamed(bytes, member, decoded)).toBe(true);
        expect(isNamed(bytes, member, `${decoded}x`)).toBe(false);
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
      const alone = findMember(inside, 0, inside.length, 'data');
      const found = findMember(bytes, before.length, end, 'data');
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
  const range = findMember(bytes, 0, bytes.length, wanted);
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
  expect(findElement(bytes, 0, bytes.length, 1)).toEqual({
    start: bytes.length - 2,
    end: bytes.length - 1,
  });
});

test('a value that is cut off ends where the bytes do', () => {
  expect(findElement(Buffer.from('[[1, 2'), 0, 6, 0)).toEqual({ start: 1, end: 6 });
  expect(findElement(Buffer.from('["a\\'), 0, 4, 0)).toEqual({ start: 1, end: 4 });
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
      const ranges = [findElement(bytes, start, end, index)];
      for (const member of members(bytes, start, end)) ranges.push(member.name, member.value);
      for (const range of ranges) {
        if (range === undefined) continue;
        expect(range.start).toBeGreaterThanOrEqual(start);
        expect(range.end).toBeGreaterThanOrEqual(range.start);
        expect(range.end).toBeLessThanOrEqual(end);
      }
    }),
  );
});
