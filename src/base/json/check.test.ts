import fc from 'fast-check';
import { expect, test } from 'vitest';

import { NAMES, object, value } from '../../../test/support/json.ts';
import { isFailure, type Failure } from '../errors.ts';
import { NESTING_MAX } from '../limits.ts';
import { check, checkInPieces, type Checked } from './check.ts';
import { nameBytes } from './name.ts';

/** What `JSON.parse` makes of bytes, if they are UTF-8, and where it stands; or the code of a failure. */
function parse(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return {
      value: JSON.parse(text) as unknown,
      text: text.replace(/^[ \t\n\r]+|[ \t\n\r]+$/g, ''),
    };
  } catch {
    return 'MALFORMED_BODY';
  }
}

/** The same by the check. */
function checked(bytes: Uint8Array): unknown {
  const outcome = check(bytes, []);
  if (isFailure(outcome)) return outcome.code;
  const text = Buffer.from(bytes).toString('utf8', outcome.root.start, outcome.root.end);
  return { value: JSON.parse(text) as unknown, text };
}

function expectAsParse(bytes: Uint8Array): void {
  expect(checked(bytes)).toEqual(parse(bytes));
}

function inPieces(bytes: Uint8Array): { outcome: Checked | Failure; pieces: number } {
  const steps = checkInPieces(bytes, []);
  for (let pieces = 1; ; pieces++) {
    const { done, value: outcome } = steps.next();
    if (done === true) return { outcome, pieces };
  }
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const utf8 = (text: string): Buffer => Buffer.from(text);

test('valid text is accepted', () => {
  fc.assert(fc.property(value, (text) => expectAsParse(utf8(` ${text}\n`))));
});

test('text with a byte changed, left out, doubled or added is taken for what JSON.parse takes it for', () => {
  const edit = fc.record({
    at: fc.nat(),
    byte: fc.oneof(
      fc.nat(255),
      fc.constantFrom(...Array.from('{}[]",:\\ 0-.eE+u\n\t', (c) => c.charCodeAt(0))),
    ),
    kind: fc.constantFrom('change', 'remove', 'insert', 'cut'),
  });
  fc.assert(
    fc.property(value, fc.array(edit, { minLength: 1, maxLength: 3 }), (text, edits) => {
      const bytes = [...utf8(text)];
      for (const { at, byte, kind } of edits) {
        const place = at % (bytes.length + 1);
        if (kind === 'cut') bytes.length = place;
        else bytes.splice(place, kind === 'insert' ? 0 : 1, ...(kind === 'remove' ? [] : [byte]));
      }
      expectAsParse(Uint8Array.from(bytes));
    }),
    { numRuns: 3000 },
  );
});

test('any short text over the alphabet of JSON is taken for what JSON.parse takes it for', () => {
  const unit = fc.constantFrom(...Array.from('{}[]",:\\ 01-.eE+untrfalseu\n\u0000\u007fé'));
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 12 }), (text) => expectAsParse(utf8(text))),
    { numRuns: 5000 },
  );
});

const NUMBERS = `0 -0 1 -1 10 1234567890123456789012345678901234567890 0.1 -0.0 1.5e3 1E400 1e-400 1e+2
  0e1 0e+1 0E-1 -1e-0 123.456e-7 00 01 -01 -00 - + +1 .1 1. 1.e1 1e 1e+ 1E- 1.1.1 1e1.5 0x1 1_000 -.1 --1
  1+1 Infinity -Infinity NaN nan 1f 0b1 1,000 ١ 1e++1 -- 0. 2.e3 1eE2 9.e+`;
const LITERALS = 'true false null True nul tru truex nulll fals falsee trueful t f n undefined';
const STRUCTURES = `[] {} [[]] [{}] {"":0} [1,] [,1] [1,,2] [1 [1]] [1]] {"a"} {"a":} {"a":1,} {,} {:1}
  {1:1} {a:1} {"a":1"b":2} {"a":1:2} {"a",1} [1:2] {"a":1]} [1} {] [} [ ] { "a" :1} ,1 1, : {}} []] [{]}
  {"a":[}] ["a" "b"] {'a':1} ['a'] [1/*x*/] //x`;
const SPACES = [
  '',
  ' ',
  '\n',
  '\t',
  '\r\n',
  '\f',
  '\v',
  '\u00a0',
  '\u2028',
  '\ufeff',
  '\u0000',
  '\u0085',
];
const STRINGS = [
  '""',
  '"',
  '"a',
  '"a""',
  'a"',
  "'a'",
  '"\\',
  '"\\"',
  '"\\""',
  '"\\\\"',
  '"\\/"',
  '"\\b\\f\\n\\r\\t"',
  '"\\a"',
  '"\\\'"',
  '"\\0"',
  '"\\x41"',
  '"\\u"',
  '"\\u1"',
  '"\\u12"',
  '"\\u123"',
  '"\\u1234"',
  '"\\u123g"',
  '"\\U1234"',
  '"\\uABCD\\uabcd"',
  '"\\ud800"',
  '"\\udc00"',
  '"\\ud83d\\ude00"',
  '"\\ude00\\ud83d"',
  '"\\u0000"',
  '"\u0000"',
  '"\u0001"',
  '"\u001f"',
  '"\n"',
  '"\t"',
  '"\r"',
  '"\u007f"',
  '"\u0080"',
  '"\u2028\u2029"',
  '"\ufeff"',
  '"\uffff"',
  '"😀"',
  '"\\ud83d😀"',
  '"\\u{41}"',
  '"\\ "',
  '"\\\n"',
];

test.each([
  ...NUMBERS.split(/\s+/),
  ...LITERALS.split(/\s+/),
  ...STRUCTURES.split(/\n? +/),
  ...STRINGS,
])('%j is taken for what JSON.parse takes it for, wherever it stands', (text) => {
  for (const [before, after] of [
    ['', ''],
    ['[', ']'],
    ['{"a":', '}'],
    ['[0,', ',0]'],
    [' ', ' '],
  ]) {
    expectAsParse(utf8(before + text + after));
  }
});

test.each(SPACES)('the space %j is taken for what JSON.parse takes it for', (space) => {
  for (const text of ['1', '[]', '[1,2]', '{"a":1,"b":[]}', '"a"', 'true', '']) {
    expectAsParse(utf8(space + text));
    expectAsParse(utf8(text + space));
    expectAsParse(utf8(text.replaceAll(/[[\],:{}]/g, (mark) => space + mark + space)));
  }
});

test('every sequence of UTF-8, and none else, may stand in a string', () => {
  const edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
  for (let first = 0x80; first <= 0xff; first++) {
    for (const second of edges) {
      expectAsParse(latin1(`"${String.fromCharCode(first, second)}"`));
      for (const third of edges) {
        expectAsParse(latin1(`"${String.fromCharCode(first, second, third)}"`));
        for (const fourth of [0x22, 0x7f, 0x80, 0xbf, 0xc0]) {
          expectAsParse(latin1(`"${String.fromCharCode(first, second, third, fourth)}"`));
        }
      }
    }
  }
});

test.each([
  ['an overlong slash', '"\xc0\xaf"'],
  ['an overlong slash in three bytes', '"\xe0\x80\xaf"'],
  ['a surrogate', '"\xed\xa0\x80"'],
  ['a character past the last', '"\xf4\x90\x80\x80"'],
  ['a character that is cut off', '"\xe2\x82"'],
  ['a tail alone', '"\x80"'],
  ['a byte order mark', '\xef\xbb\xbf1'],
  ['a character outside of strings', '[\xc3\xa9]'],
  ['UTF-16', '\xff\xfe1\x00'],
  ['nothing', ''],
])('%s is refused', (_, text) => {
  expect(check(latin1(text), [])).toMatchObject({ code: 'MALFORMED_BODY' });
  expectAsParse(latin1(text));
});

test.each([NESTING_MAX, NESTING_MAX + 1, 200_000])('%i levels of nesting', (depth) => {
  const list = '['.repeat(depth) + ']'.repeat(depth);
  const mixed = '[{"a":'.repeat(depth / 2) + '1' + '}]'.repeat(depth / 2);
  const texts = [list, '['.repeat(depth), ...(depth % 2 === 0 ? [mixed] : [])];
  const outcomes = texts.map((text) => check(utf8(text), []));
  const codes = outcomes.map((outcome) => (isFailure(outcome) ? outcome.code : 'valid'));
  const expected =
    depth > NESTING_MAX
      ? ['NESTED_TOO_DEEPLY', 'NESTED_TOO_DEEPLY', 'NESTED_TOO_DEEPLY']
      : ['valid', 'MALFORMED_BODY', 'valid'];
  expect(codes).toEqual(expected.slice(0, texts.length));
});

test('every level is told from every other, however deep', () => {
  const kinds = fc.array(fc.boolean(), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(kinds, fc.nat(), (objects, wrong) => {
      const opened = objects.map((isObject) => (isObject ? '{"":' : '[')).join('');
      const closes = objects.map((isObject) => (isObject ? '}' : ']')).toReversed();
      expect(isFailure(check(utf8(`${opened}1${closes.join('')}`), []))).toBe(false);
      const at = wrong % closes.length;
      closes[at] = closes[at] === ']' ? '}' : ']';
      const place = opened.length + 1 + at;
      expect(check(utf8(`${opened}1${closes.join('')}`), [])).toMatchObject({
        detail: expect.stringContaining(`at byte ${place} is ${closes[at]}`),
      });
    }),
  );
});

test('the members that are asked for are those of JSON.parse, the last of several', () => {
  const names = [...NAMES, 'other'];
  fc.assert(
    fc.property(object, (text) => {
      const bytes = utf8(`\t${text} `);
      const { members } = check(bytes, names.map(nameBytes)) as Checked;
      const parsed: Record<string, unknown> = JSON.parse(text);
      for (const [at, name] of names.entries()) {
        const range = members[at];
        expect(range !== undefined).toBe(Object.hasOwn(parsed, name));
        if (range === undefined) continue;
        const found = bytes.toString('utf8', range.start, range.end);
        expect(JSON.parse(found)).toEqual(Object.getOwnPropertyDescriptor(parsed, name)?.value);
        expect(found).toBe(found.trim());
      }
    }),
  );
});

test('only the outermost object has members, a list has none', () => {
  const names = [nameBytes('a')];
  for (const text of ['[{"a":1}]', '{"b":{"a":1}}', '[["a",1]]', '"a"', '{"b":"a"}']) {
    expect(check(utf8(text), names)).toMatchObject({ members: [] });
  }
});

// Each is longer than a piece, so that it is paused in the middle.
const LONG = 300_000;
test.each([
  ['white space', ' '.repeat(LONG) + '1' + ' '.repeat(LONG)],
  ['a string', `"${'x'.repeat(LONG)}"`],
  ['escapes', `"${'\\u00e9'.repeat(LONG / 6)}"`],
  ['characters of four bytes', `"${'😀'.repeat(LONG / 4)}"`],
  ['characters of three bytes', `["x${'€'.repeat(LONG / 3)}"]`],
  ['a number', '1'.repeat(LONG)],
  ['a fraction', `-0.${'1'.repeat(LONG)}e${'1'.repeat(LONG)}`],
  ['a name', `{"${'x'.repeat(LONG)}":1}`],
  ['lists', `[${'[],'.repeat(LONG / 3)}1]`],
  ['literals', `[${'true,null,false,'.repeat(LONG / 16)}1]`],
  ['objects', `[${'{"a":1,"b":"\\\\"},'.repeat(LONG / 16)}1]`],
])('%s may be as long as a body, and is checked in pieces', (_, text) => {
  for (const broken of [text, text.slice(0, -1), `${text.slice(0, -1)}\u0000`]) {
    const bytes = utf8(broken);
    const { outcome, pieces } = inPieces(bytes);
    expect(outcome).toEqual(check(bytes, []));
    expect(isFailure(outcome)).toBe(parse(bytes) === 'MALFORMED_BODY');
    expect(pieces).toBeGreaterThanOrEqual(Math.floor(bytes.length / 65_536));
  }
});

test.each([
  ['{"data" 1}', 'at byte 8 is 1, where a colon is expected'],
  ['[1 2]', 'at byte 3 is 2, where a comma or ] is expected'],
  ['{"a":1]', 'at byte 6 is ], where a comma or } is expected'],
  ['{"a":[]', 'at byte 7 is the end, where a comma or } is expected'],
  ['1 2', 'at byte 2 is 2, where the end is expected'],
  ['tru ', 'at byte 3 is 0x20, where true is expected'],
  ['"\\ud8"', 'at byte 5 is ", where two more hexadecimal digits is expected'],
  ['01', 'at byte 1 is 1, where a point, an exponent or the end of the number is expected'],
])('%s is refused with the place and what was expected there', (text, detail) => {
  expect(check(utf8(text), [])).toMatchObject({
    detail: `the body is not valid JSON: ${detail}`,
  });
});
