import fc from 'fast-check';
import { expect, test } from 'vitest';

import { array, NAMES, object, value } from '../../test/support/json.ts';
import {
  edited,
  inside,
  jsonPatchOf,
  mergePatchOf,
  outcomeOf,
  textAt,
  type Edit,
} from '../../test/support/edit.ts';
import { isFailure } from '../base/errors.ts';
import { check } from '../base/json/check.ts';
import { finish, Pace } from '../base/json/scan.ts';
import { keyFromText } from '../base/key.ts';
import { add, compare, isNumber, isSameNumber } from './decimal.ts';
import { edit } from './edit.ts';
import { isEqual } from './equal.ts';
import { checkPointer, follow, tokensOf } from './pointer.ts';

/** The part of a text that a pointer leads to. */
function partAt(text: string, pointer: string): string | undefined {
  const at = inside(text);
  const range = finish(follow(at, tokensOf(pointer), new Pace()));
  return range && textAt({ bytes: at.bytes, ...range });
}

const RFC_6901 = String.raw`{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5,
  "k\"l": 6, " ": 7, "m~n": 8}`;

test.each([
  ['', RFC_6901],
  ['/foo', '["bar", "baz"]'],
  ['/foo/0', '"bar"'],
  ['/', '0'],
  ['/a~1b', '1'],
  ['/c%d', '2'],
  ['/e^f', '3'],
  ['/g|h', '4'],
  ['/i\\j', '5'],
  ['/k"l', '6'],
  ['/ ', '7'],
  ['/m~0n', '8'],
  ['/foo/2', undefined],
  ['/foo/00', undefined],
  ['/foo/-', undefined],
  ['/foo/-1', undefined],
  ['/foo/1e0', undefined],
  ['/foo/bar', undefined],
  ['/foo/0/0', undefined],
  ['/none', undefined],
  ['/m~01n', undefined],
])('RFC 6901 §5: %j leads to %s', (pointer, part) => {
  expect(partAt(RFC_6901, pointer)).toBe(part);
  expect(checkPointer(pointer)).toBe(pointer);
});

test.each(['a', '/~', '/~2', '/a~', '/\ud800', `/${'x'.repeat(4096)}`])(
  '%j is no pointer',
  (text) => {
    expect(checkPointer(text)).toMatchObject({ code: 'INVALID_POINTER' });
  },
);

test('a pointer leads to the value that JSON.parse has there', () => {
  fc.assert(
    fc.property(object, fc.constantFrom(...NAMES.slice(0, -1)), (text, name) => {
      const parsed = JSON.parse(text) as Record<string, unknown>;
      const part = partAt(text, `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
      const wanted = Object.getOwnPropertyDescriptor(parsed, name)?.value as unknown;
      expect(part === undefined ? undefined : JSON.parse(part)).toEqual(wanted);
    }),
  );
});

test.each([
  ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
  ['{"a":"b"}', '{"a":null}', '{}'],
  ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
  ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
  ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
  ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
  ['["a","b"]', '["c","d"]', '["c","d"]'],
  ['{"a":"b"}', '["c"]', '["c"]'],
  ['{"a":"foo"}', 'null', 'null'],
  ['{"a":"foo"}', '"bar"', '"bar"'],
  ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
  ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
  ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
])('RFC 7396 appendix A: %s merged with %s is %s', (text, patch, result) => {
  expect(edited(text, mergePatchOf(patch))).toBe(result);
});

test.each([
  ['{ "a" : 1.0 , "b" : 2 }', '{"b":3}', '{ "a" : 1.0 , "b" : 3 }'],
  ['{ "a" : 1.0 , "b" : 2 }', '{"a":null,"c":{"d":null}}', '{ "b" : 2,"c":{} }'],
  ['{ "a" : 1.0 , "b" : 2 }', '{"a":null,"b":null,"c":3}', '{ "c":3 }'],
  ['{"a":1,"b":{"a":1},"a":2}', '{"a":null}', '{"b":{"a":1}}'],
  ['{"a":1,"a":{"b":2}}', '{"a":{"c":3}}', '{"a":1,"a":{"b":2,"c":3}}'],
  ['{}', '{"a":1,"a":null,"b":null,"b":2}', '{"b":2}'],
  ['{}', '{"__proto__":{"x":1}}', '{"__proto__":{"x":1}}'],
  ['{"__proto__":1}', '{"__proto__":null}', '{}'],
  ['{"\\u0061":1}', '{"a":2}', '{"\\u0061":2}'],
  ['1', '{"a":[null]}', '{"a":[null]}'],
])('%s merged with %s is %s', (text, patch, result) => {
  expect(edited(text, mergePatchOf(patch))).toBe(result);
});

/** RFC 7396 §2 as it is written there. */
function merged(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, wanted] of Object.entries(patch)) {
    if (wanted === null) result.delete(name);
    else result.set(name, merged(result.get(name), wanted));
  }
  return fromEntries(result);
}

function fromEntries(entries: Iterable<[string, unknown]>): unknown {
  // As JSON.parse does, and no assignment: `__proto__` is a name.
  return Object.fromEntries(entries);
}

function isObject(one: unknown): one is Record<string, unknown> {
  return typeof one === 'object' && one !== null && !Array.isArray(one);
}

test('a merge patch makes what the RFC says', () => {
  fc.assert(
    fc.property(value, value, (text, patch) => {
      const result = edited(text, mergePatchOf(patch));
      expect(JSON.parse(result)).toEqual(merged(JSON.parse(text), JSON.parse(patch)));
    }),
    { numRuns: 500 },
  );
});

test('a merge patch makes a record only if there is to be none before', () => {
  expect(edited(undefined, mergePatchOf('{"a":1,"b":null}'))).toBe('KEY_NOT_FOUND');
  const condition = { ifNoneMatch: '*' } as const;
  const patch: Edit = { ...mergePatchOf('{"a":1,"b":null}'), condition };
  expect(edited(undefined, patch)).toBe('{"a":1}');
  expect(edited(undefined, { ...jsonPatchOf('[]'), condition })).toBe('KEY_NOT_FOUND');
});

const increment = (text: string | undefined, by: string, more: Partial<Edit> = {}) =>
  outcomeOf(text, {
    action: 'increment',
    pointer: '',
    by,
    initial: '0',
    expire: 'created',
    ...more,
  } as Edit);

test.each([
  ['1', '1', '2'],
  ['9007199254740993', '9007199254740993', '18014398509481986'],
  ['0.1', '0.2', '0.3'],
  ['1.50', '-0.5', '1.00'],
  ['1e3', '1', '1001'],
  ['1E-2', '1', '1.01'],
  ['-0', '0', '0'],
  ['-0.05', '0.02', '-0.03'],
  ['9'.repeat(500), '1', `1${'0'.repeat(500)}`],
  [undefined, '5', '5'],
])('%s and %s is %s', (text, by, sum) => {
  expect(increment(text, by)).toEqual({ value: sum, shown: sum });
});

test('an increment reaches into a value and leaves the rest', () => {
  const text = '{ "a" : [1, 2.50 ], "a" : [ 7 ] }';
  expect(increment(text, '3', { pointer: '/a/0' })).toEqual({
    value: '{ "a" : [1, 2.50 ], "a" : [ 10 ] }',
    shown: '10',
  });
  expect(increment('{}', '3', { pointer: '/n', initial: '10' })).toEqual({
    value: '{"n":13}',
    shown: '13',
  });
});

test.each([
  ['5', '1', { max: '5' }, 'NUMBER_OUT_OF_RANGE'],
  ['5', '1', { max: '6.0' }, '6'],
  ['0', '-1', { min: '0' }, 'NUMBER_OUT_OF_RANGE'],
  ['0', '-1', { min: '-1' }, '-1'],
  ['9'.repeat(1024), '1', {}, 'NUMBER_OUT_OF_RANGE'],
  ['1e1025', '1', {}, 'NUMBER_OUT_OF_RANGE'],
  ['"5"', '1', {}, 'WRONG_TYPE'],
  ['null', '1', {}, 'WRONG_TYPE'],
  ['{}', '1', { pointer: '/a/b' }, 'TARGET_NOT_FOUND'],
  ['[]', '1', { pointer: '/0' }, 'TARGET_NOT_FOUND'],
  [undefined, '1', { pointer: '/a' }, 'KEY_NOT_FOUND'],
])('%s and %s within %j is %s', (text, by, bounds, result) => {
  const outcome = increment(text, by, bounds);
  expect(typeof outcome === 'string' ? outcome : outcome.value).toBe(result);
});

const written = (number: bigint, fraction: number): string => `${number}e-${fraction}`;

test('sums are exact and order is that of the numbers', () => {
  const digits = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n });
  const places = fc.nat(20);
  fc.assert(
    fc.property(digits, places, digits, places, (a, aPlaces, b, bPlaces) => {
      const left = a * 10n ** BigInt(20 - aPlaces);
      const right = b * 10n ** BigInt(20 - bPlaces);
      const sum = add(written(a, aPlaces), written(b, bPlaces))!;
      expect(isNumber(sum)).toBe(true);
      expect(isSameNumber(sum, written(left + right, 20))).toBe(true);
      const order = left === right ? 0 : left < right ? -1 : 1;
      expect(compare(written(a, aPlaces), written(b, bPlaces))).toBe(order);
      expect(isSameNumber(written(a, aPlaces), written(b, bPlaces))).toBe(order === 0);
    }),
  );
});

const append = (text: string | undefined, values: string, more: Partial<Edit> = {}) =>
  outcomeOf(text, { action: 'append', pointer: '', values: inside(values), ...more } as Edit);

test.each([
  ['[1, 2 ]', '[ 3,4 ]', {}, '[1, 2 , 3,4 ]', 4],
  ['[ ]', '[3]', {}, '[ 3]', 1],
  ['[1]', '[]', {}, '[1]', 1],
  [undefined, '[1,2,3]', { maxLength: 2 }, '[2,3]', 2],
  [undefined, '[]', {}, '[]', 0],
  ['[1, 2, 3]', '[4]', { maxLength: 3 }, '[2, 3,4]', 3],
  ['[1, 2, 3]', '[4,5]', { maxLength: 2 }, '[4,5]', 2],
  ['[1, 2, 3]', '[4,5,6]', { maxLength: 2 }, '[5,6]', 2],
  ['[1, 2, 3]', '[]', { maxLength: 1 }, '[3]', 1],
  ['{"a" : [1]}', '[2]', { pointer: '/a' }, '{"a" : [1,2]}', 2],
  ['{}', '[1,2]', { pointer: '/a', maxLength: 1 }, '{"a":[2]}', 1],
])('to %s is added %s with %j: %s', (text, values, more, result, length) => {
  expect(append(text, values, more as Partial<Edit>)).toEqual({
    value: result,
    shown: String(length),
  });
});

test('a list is added to as a list is', () => {
  const list = fc.array(fc.nat(9), { maxLength: 8 });
  fc.assert(
    fc.property(list, list, fc.integer({ min: 1, max: 10 }), (present, added, maxLength) => {
      const outcome = append(JSON.stringify(present, null, 1), JSON.stringify(added), {
        maxLength,
      });
      const wanted = [...present, ...added].slice(-maxLength);
      expect(typeof outcome).toBe('object');
      expect(JSON.parse((outcome as { value: string }).value)).toEqual(wanted);
      expect((outcome as { shown: string }).shown).toBe(String(wanted.length));
    }),
  );
});

test.each([
  ['{}', {}, 'WRONG_TYPE'],
  ['1', { pointer: '/a' }, 'TARGET_NOT_FOUND'],
  [undefined, { pointer: '/a' }, 'KEY_NOT_FOUND'],
])('to %s with %j nothing can be added: %s', (text, more, code) => {
  expect(append(text, '[1]', more as Partial<Edit>)).toBe(code);
});

test.each([
  ['{"a":[1,2]}', '/a/1', '9', '{"a":[1,9]}'],
  ['{"a":[1,2]}', '/a/-', '9', '{"a":[1,2,9]}'],
  ['{"a":[1,2]}', '/a/2', '9', 'TARGET_NOT_FOUND'],
  ['{"a":[1,2]}', '/b', ' 9', '{"a":[1,2],"b": 9}'],
  ['{"a":[1,2]}', '', '9', '9'],
  ['{"a":[1,2]}', '/b/c', '9', 'TARGET_NOT_FOUND'],
  [undefined, '/a', '9', 'KEY_NOT_FOUND'],
])('in %s at %j is put %s: %s', (text, pointer, part, result) => {
  expect(edited(text, { action: 'store', pointer, value: inside(part) })).toBe(result);
});

const remove = (text: string, pointer: string) => outcomeOf(text, { action: 'delete', pointer });

test('a part is removed, and where there is none that is said', () => {
  expect(remove('{"a":1,"b":2}', '/a')).toEqual({ value: '{"b":2}', shown: undefined });
  expect(remove('{"a":1}', '/b')).toBe('PART_NOT_FOUND');
  expect(remove('{"a":1}', '')).toBe('PART_NOT_FOUND');
});

/** Whether two texts are the same to a patch's test. */
function same(left: string, right: string): boolean {
  return finish(isEqual(inside(left), inside(right), new Pace())) as boolean;
}

test.each([
  ['1', '1.0', true],
  ['1', '10e-1', true],
  ['-0', '0', true],
  ['9007199254740993', '9007199254740992', false],
  ['1e400', '10e399', true],
  ['1e400', '1e401', false],
  ['0e5', '0', true],
  ['1e99999999999999999999', '1e99999999999999999998', false],
  ['"\\u00e9"', '"é"', true],
  ['"\\ud83d\\ude00"', '"😀"', true],
  ['"\\ud83d"', '"\ufffd"', false],
  ['"a"', '"b"', false],
  ['{"a":1,"b":2}', '{ "b":2.0,"a":1 }', true],
  ['{"a":1,"a":2}', '{"a":2}', true],
  ['{"a":1,"a":2}', '{"a":1}', false],
  ['{"a":1}', '{"a":1,"b":1}', false],
  ['{"a":1,"b":1}', '{"a":1}', false],
  ['{"__proto__":1}', '{}', false],
  ['[1,2]', '[1]', false],
  ['[1]', '[1,2]', false],
  ['[1, [2]]', '[1,[2]]', true],
  ['[]', '{}', false],
  ['true', 'false', false],
  ['null', '0', false],
])('%s and %s are the same: %s', (left, right, expected) => {
  expect(same(left, right)).toBe(expected);
  expect(same(right, left)).toBe(expected);
});

test('any text is the same as its value written anew', () => {
  fc.assert(
    fc.property(value, (text) => {
      const parsed = JSON.parse(text) as unknown;
      // Numbers that a double does not hold are not the same once they were one.
      fc.pre(same(text, text) && !/\d{16}|[eE]/.test(text));
      expect(same(text, JSON.stringify(parsed, null, 2))).toBe(true);
    }),
  );
});

test('long texts are edited in pieces, to the same result', () => {
  const list = `[${Array.from({ length: 60_000 }, (_, at) => `{"id": ${at}}`).join(', ')}]`;
  const requests: Edit[] = [
    jsonPatchOf('[{"op":"replace","path":"/59999/id","value":0},{"op":"remove","path":"/0"}]'),
    jsonPatchOf(`[{"op":"test","path":"","value":${list.replaceAll(' ', '')}}]`),
    { action: 'append', pointer: '', values: inside(list), maxLength: 60_001 },
  ];
  for (const request of requests) {
    const steps = edit({ ...request, key: keyFromText('k')! }, inside(list), 2 ** 24);
    let pieces = 1;
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) pieces++;
    expect(pieces).toBeGreaterThan(3);
    expect(isFailure(step.value)).toBe(false);
    expect('value' in step.value && textAt(step.value.value)).toBe(edited(list, request));
  }
});

const token = fc.constantFrom('', 'data', 'user', '__proto__', 'é', 'a"b', 'a\\b', '0', '1', '-');
const pointer = fc
  .array(token, { maxLength: 3 })
  .map((tokens) => tokens.map((t) => `/${t}`).join(''));
const operation = fc
  .tuple(
    fc.constantFrom('add', 'replace', 'test', 'remove', 'move', 'copy'),
    pointer,
    pointer,
    value,
  )
  .map(([op, path, from, text]) => {
    const [pathText, fromText] = [JSON.stringify(path), JSON.stringify(from)];
    return `{"value":${text},"op":"${op}", "path" : ${pathText},"from":${fromText}}`;
  });
const anyEdit: fc.Arbitrary<Edit> = fc.oneof(
  value.map(mergePatchOf),
  operation.map((text) => jsonPatchOf(`[${text}]`)),
  fc.record({ action: fc.constant('store' as const), pointer, value: value.map(inside) }),
  fc.record({ action: fc.constant('delete' as const), pointer }),
  fc.record({
    action: fc.constant('increment' as const),
    pointer,
    by: fc.constantFrom('1', '-0.5', '1e3'),
    initial: fc.constant('0'),
    expire: fc.constant('created' as const),
  }),
  fc.record({
    action: fc.constant('append' as const),
    pointer,
    values: array.map(inside),
    maxLength: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  }),
);

test('whatever an edit makes is JSON, without white space around it', () => {
  fc.assert(
    fc.property(value, fc.array(anyEdit, { maxLength: 6 }), (text, edits) => {
      let present = text;
      for (const request of edits) {
        const outcome = outcomeOf(present, request);
        if (typeof outcome === 'string') continue;
        present = outcome.value;
        const bytes = Buffer.from(present);
        expect(check(bytes, [])).toMatchObject({ root: { start: 0, end: bytes.length } });
      }
    }),
    { numRuns: 2000 },
  );
});
