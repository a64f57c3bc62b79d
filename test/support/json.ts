/** Random JSON text, as anyone may send it. */

import fc from 'fast-check';

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

/** Names of members, few, so that some come twice. */
export const NAMES = [
  '',
  'data',
  'user',
  '__proto__',
  'constructor',
  'é',
  '😀',
  'a"b',
  'a\\b',
  '\ud800',
];
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

/** Any white space, any escape, any spelling of a number, and few different names. */
export const { value, array, object } = fc.letrec<{ value: string; array: string; object: string }>(
  (tie) => {
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
  },
);
