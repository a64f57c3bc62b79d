import fc from 'fast-check';
import suite from 'json-patch-test-suite/tests.json' with { type: 'json' };
import specification from 'json-patch-test-suite/spec_tests.json' with { type: 'json' };
import { applyPatch, type Operation } from 'rfc6902';
import { expect, test } from 'vitest';

import { edited, jsonPatchOf } from '../../test/support/edit.ts';
import { isFailureCode } from '../base/errors.ts';
import { PATCH_OPERATIONS_MAX } from '../base/limits.ts';

/** A case of the published suite. */
interface Case {
  readonly comment?: string;
  readonly doc: unknown;
  readonly patch: unknown;
  readonly expected?: unknown;
  readonly error?: string;
  /** The suite's own mark on a case that does not count. */
  readonly disabled?: boolean;
}

const suites = [suite, specification].flatMap((cases, at) =>
  (cases as readonly Case[])
    .filter((one) => one.disabled !== true && one.patch !== undefined)
    .map((one, position): [string, Case] => [`${at}.${position} ${one.comment ?? ''}`, one]),
);

test.each(suites)('json-patch-test-suite: %s', (_, { doc, patch, expected, error }) => {
  const result = edited(JSON.stringify(doc), jsonPatchOf(JSON.stringify(patch)));
  const outcome = isFailureCode(result) ? 'failed' : (JSON.parse(result) as unknown);
  const wanted = error === undefined ? (expected ?? doc) : 'failed';
  expect(outcome).toEqual(wanted);
});

const patched = (text: string, ...operations: string[]): string =>
  edited(text, jsonPatchOf(`[${operations.join(',')}]`));

test.each([
  ['{"a": 1 , "b":2.0}', '{"op":"replace","path":"/a","value":[ 3 ]}', '{"a": [ 3 ] , "b":2.0}'],
  ['{"a": 1 , "b":2.0}', '{"op":"remove","path":"/a"}', '{"b":2.0}'],
  ['{"a": 1 , "b":2.0}', '{"op":"remove","path":"/b"}', '{"a": 1}'],
  ['{ "a": 1 }', '{"op":"remove","path":"/a"}', '{  }'],
  ['{ }', '{"op":"add","path":"/a","value":1e400}', '{"a":1e400 }'],
  ['{"a":1 }', '{"op":"add","path":"/é\\n","value":"\\u00e9"}', '{"a":1,"é\\n":"\\u00e9" }'],
  ['[1, 2, 3 ]', '{"op":"remove","path":"/1"}', '[1, 3 ]'],
  ['[1, 2, 3 ]', '{"op":"remove","path":"/0"}', '[2, 3 ]'],
  ['[1, 2, 3 ]', '{"op":"remove","path":"/2"}', '[1, 2 ]'],
  ['[1, 2 ]', '{"op":"add","path":"/1","value":9}', '[1, 9,2 ]'],
  ['[1, 2 ]', '{"op":"add","path":"/2","value":9}', '[1, 2,9 ]'],
  ['[ ]', '{"op":"add","path":"/-","value":9}', '[9 ]'],
  ['[1,[2, 3]]', '{"op":"move","from":"/1/0","path":"/0"}', '[2,1,[3]]'],
  [
    '{"a":{"b": 1.50}}',
    '{"op":"copy","from":"/a","path":"/c"}',
    '{"a":{"b": 1.50},"c":{"b": 1.50}}',
  ],
  // Removing takes all members of a name, replacing the one that is read.
  ['{"a":1,"b":2,"a":3}', '{"op":"remove","path":"/a"}', '{"b":2}'],
  ['{"a":1,"a":2}', '{"op":"remove","path":"/a"}', '{}'],
  ['{"c":0,"a":1,"a":2}', '{"op":"remove","path":"/a"}', '{"c":0}'],
  ['{"a":1,"b":2,"a":3}', '{"op":"replace","path":"/a","value":9}', '{"a":1,"b":2,"a":9}'],
  ['{"a":1}', '{"op":"add","path":"/__proto__","value":{}}', '{"a":1,"__proto__":{}}'],
  [
    '{"__proto__":{"x":1}}',
    '{"op":"replace","path":"/__proto__/x","value":2}',
    '{"__proto__":{"x":2}}',
  ],
  ['{"\\u0061":1}', '{"op":"replace","path":"/a","value":2}', '{"\\u0061":2}'],
  [
    '{"é":1,"😀":{"a/b":1}}',
    '{"op":"replace","path":"/😀/a~1b","value":2}',
    '{"é":1,"😀":{"a/b":2}}',
  ],
  ['{"a":1}', '{"op":"test","path":"/a","value":1.0}', '{"a":1}'],
  ['{"a":1}', '{"op":"add","path":"","value":[2]}', '[2]'],
])('of %s %s makes %s', (text, operation, result) => {
  expect(patched(text, operation)).toBe(result);
});

test.each([
  ['{"a":1}', '{"op":"remove","path":"/b"}', 'TARGET_NOT_FOUND'],
  ['{"a":1}', '{"op":"remove","path":""}', 'TARGET_NOT_FOUND'],
  ['{"a":1}', '{"op":"add","path":"/a/b","value":1}', 'TARGET_NOT_FOUND'],
  ['{"a":1}', '{"op":"add","path":"/b/c","value":1}', 'TARGET_NOT_FOUND'],
  ['[1]', '{"op":"add","path":"/2","value":1}', 'TARGET_NOT_FOUND'],
  ['[1]', '{"op":"add","path":"/01","value":1}', 'TARGET_NOT_FOUND'],
  ['[1]', '{"op":"replace","path":"/-","value":1}', 'TARGET_NOT_FOUND'],
  ['[1]', '{"op":"test","path":"/0","value":2}', 'TEST_FAILED'],
  ['[1]', '{"op":"move","from":"/0","path":"/0/a"}', 'INVALID_PATCH'],
  ['[1]', '{"op":"toString","path":""}', 'INVALID_PATCH'],
  ['[1]', '{"op":"add","path":"/0"}', 'INVALID_PATCH'],
  ['[1]', '{"op":"copy","path":"/0"}', 'INVALID_PATCH'],
  ['[1]', '{"op":"remove","path":"0"}', 'INVALID_PATCH'],
  ['[1]', '{"op":"remove","path":"/~2"}', 'INVALID_PATCH'],
  ['[1]', '{"op":"remove"}', 'INVALID_PATCH'],
  ['[1]', '{"op":["remove"],"path":"/0"}', 'INVALID_PATCH'],
  ['[1]', '1', 'INVALID_PATCH'],
])('of %s %s is refused: %s', (text, operation, code) => {
  expect(patched(text, operation)).toBe(code);
});

test('all operations are done or none, and the failure says which', () => {
  const text = '{"a":1}';
  expect(
    patched(text, '{"op":"replace","path":"/a","value":2}', '{"op":"remove","path":"/b"}'),
  ).toBe('TARGET_NOT_FOUND');
  expect(edited(text, jsonPatchOf('{}'))).toBe('INVALID_PATCH');
  const many = Array<string>(PATCH_OPERATIONS_MAX).fill('{"op":"test","path":"/a","value":1}');
  expect(patched(text, ...many)).toBe(text);
  expect(patched(text, ...many, many[0]!)).toBe('INVALID_PATCH');
});

test('what a patch makes is bounded in size and depth at every step', () => {
  const doubling = '{"op":"copy","from":"","path":"/-"}';
  const many = Array<string>(40).fill(doubling).join(',');
  expect(edited('[1]', jsonPatchOf(`[${many}]`), 10_000)).toBe('RESULT_TOO_LARGE');
  const deep = '['.repeat(300) + ']'.repeat(300);
  const pointer = '/0'.repeat(299);
  const put = `{"op":"add","path":"${pointer}/-","value":${deep}}`;
  expect(patched(deep, put)).toBe('RESULT_TOO_DEEP');
});

const names = fc.constantFrom('a', 'b', 'a/b', '~', '', '0', '1');
const document = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<unknown>(0, 1, 'x', null, true),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(names, tie('value'), { maxKeys: 3 }),
  ),
})).value;
const path = fc
  .array(fc.oneof(names, fc.constantFrom('2', '-')), { maxLength: 3 })
  .map((tokens) => tokens.map((t) => `/${t.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''));
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    op: fc.constantFrom('add' as const, 'replace' as const, 'test' as const),
    path,
    value: document,
  }),
  fc.record({ op: fc.constant('remove' as const), path }),
  fc.record({ op: fc.constantFrom('move' as const, 'copy' as const), path, from: path }),
);

/** What rfc6902 makes of a document; it is laxer than the RFC, so what it refuses we must refuse. */
function oracle(value: unknown, operations: readonly Operation[]): unknown {
  const holder = { value: structuredClone(value) };
  try {
    const errors = applyPatch(holder.value, structuredClone([...operations]));
    return errors.every((error) => error === null) ? holder.value : 'refused';
  } catch {
    return 'refused';
  }
}

/** Whether it moves an element into what stands in the same list: the oracle looks for that before it takes the element out. */
function isBehindItsSource(one: Operation): boolean {
  if (one.op !== 'move' || !/\/\d+$/.test(one.from)) return false;
  const list = one.from.slice(0, one.from.lastIndexOf('/') + 1);
  return one.path.startsWith(list) && one.path.slice(list.length).includes('/');
}

test('what is moved has left its list before the target is looked for', () => {
  const move = '{"op":"move","from":"/0","path":"/1/a"}';
  expect(patched('[1,{},{}]', move)).toBe('[{},{"a":1}]');
  expect(patched('[1,{}]', move)).toBe('TARGET_NOT_FOUND');
});

test('random patches make what rfc6902 makes of them', () => {
  let accepted = 0;
  fc.assert(
    fc.property(document, fc.array(operation, { maxLength: 12 }), (value, operations) => {
      let text = JSON.stringify(value);
      // Of operations at random few can be done; one that cannot would undo all.
      const done = operations.filter((one) => {
        // The oracle cannot replace the whole document.
        const isRoot = one.path === '' && one.op !== 'test';
        const result =
          isRoot || isBehindItsSource(one) ? 'KEY_NOT_FOUND' : patched(text, JSON.stringify(one));
        if (isFailureCode(result)) return false;
        text = result;
        return true;
      });
      accepted += done.length;
      expect(patched(JSON.stringify(value), ...done.map((one) => JSON.stringify(one)))).toBe(text);
      expect(JSON.parse(text)).toEqual(oracle(value, done));
    }),
    { numRuns: 2000 },
  );
  expect(accepted).toBeGreaterThan(200);
});
