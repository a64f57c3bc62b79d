/**
 * The grammar of JSON (RFC 8259) and of UTF-8 (RFC 3629 §4) as one table: what follows at each byte,
 * another state or an action. `check.ts` is the machine that runs it.
 */

/** The states, and what each expects, as error messages say it. */
const EXPECTED = {
  value: 'a value',
  valueOrClose: 'a value or ]',
  /** As `value`, where the place of the value is to be known: the root, and after a colon. */
  placedValue: 'a value',
  after: 'a comma or the end of the list or object',
  nameOrClose: 'the name of a member or }',
  name: 'the name of a member',
  colon: 'a colon',
  string: 'text without control characters and a quote at its end',
  escape: 'one of "\\/bfnrtu after the backslash',
  hex4: 'four hexadecimal digits',
  hex3: 'three more hexadecimal digits',
  hex2: 'two more hexadecimal digits',
  hex1: 'one more hexadecimal digit',
  tail1: 'UTF-8',
  tail2: 'UTF-8',
  tail3: 'UTF-8',
  afterE0: 'UTF-8',
  afterEd: 'UTF-8',
  afterF0: 'UTF-8',
  afterF4: 'UTF-8',
  minus: 'a digit',
  zero: 'a point, an exponent or the end of the number',
  integer: 'the rest of a number or its end',
  point: 'a digit',
  fraction: 'the rest of a number or its end',
  exponent: 'a digit or a sign',
  exponentSign: 'a digit',
  exponentDigits: 'a digit or the end of the number',
  t: 'true',
  tr: 'true',
  tru: 'true',
  f: 'false',
  fa: 'false',
  fal: 'false',
  fals: 'false',
  n: 'null',
  nu: 'null',
  nul: 'null',
} as const;

type StateName = keyof typeof EXPECTED;
const STATE_NAMES = Object.keys(EXPECTED) as StateName[];

/** What is done at a byte, beside going to another state. */
const ACTION_NAMES = [
  'fail',
  'openObject',
  'openArray',
  'closeObject',
  'closeArray',
  'comma',
  'startName',
  'startString',
  'startEscape',
  'endString',
  'endLiteral',
  /** The byte after a number: it is looked at again. */
  'endNumber',
  /** The first byte of a value whose place is to be known: it is looked at again. */
  'startPlaced',
] as const;

type ActionName = (typeof ACTION_NAMES)[number];

/** Entries of the table from here on are actions. */
export const FIRST_ACTION = 64;

/** The number of a state or an action. */
export function codeOf(name: StateName | ActionName): number {
  const action = (ACTION_NAMES as readonly string[]).indexOf(name);
  return action < 0 ? STATE_NAMES.indexOf(name as StateName) : FIRST_ACTION + action;
}

/** What a state expects, for a person to read. */
export function expectedIn(state: number): string {
  return EXPECTED[STATE_NAMES[state]!];
}

const SPACE = ' \t\n\r';
const DIGITS = '0123456789';
const HEX = `${DIGITS}abcdefABCDEF`;
const VALUE_STARTS = '"-0123456789{[tfn';
const NUMBER_ENDS = `${SPACE},]}`;

/** Characters and ranges of bytes, and what follows at them. */
type Row = readonly (readonly [string | readonly [number, number], StateName | ActionName])[];

const ANY_VALUE: Row = [
  ['"', 'startString'],
  ['-', 'minus'],
  ['0', 'zero'],
  ['123456789', 'integer'],
  ['{', 'openObject'],
  ['[', 'openArray'],
  ['t', 't'],
  ['f', 'f'],
  ['n', 'n'],
];

const ROWS: Readonly<Record<StateName, Row>> = {
  value: [[SPACE, 'value'], ...ANY_VALUE],
  valueOrClose: [[SPACE, 'valueOrClose'], [']', 'closeArray'], ...ANY_VALUE],
  placedValue: [
    [SPACE, 'placedValue'],
    [VALUE_STARTS, 'startPlaced'],
  ],
  after: [
    [SPACE, 'after'],
    [',', 'comma'],
    [']', 'closeArray'],
    ['}', 'closeObject'],
  ],
  nameOrClose: [
    [SPACE, 'nameOrClose'],
    ['"', 'startName'],
    ['}', 'closeObject'],
  ],
  name: [
    [SPACE, 'name'],
    ['"', 'startName'],
  ],
  colon: [
    [SPACE, 'colon'],
    [':', 'placedValue'],
  ],
  string: [
    [[0x20, 0x7f], 'string'],
    ['"', 'endString'],
    ['\\', 'startEscape'],
    [[0xc2, 0xdf], 'tail1'],
    [[0xe0, 0xe0], 'afterE0'],
    [[0xe1, 0xef], 'tail2'],
    [[0xed, 0xed], 'afterEd'],
    [[0xf0, 0xf0], 'afterF0'],
    [[0xf1, 0xf3], 'tail3'],
    [[0xf4, 0xf4], 'afterF4'],
  ],
  escape: [
    ['"\\/bfnrt', 'string'],
    ['u', 'hex4'],
  ],
  hex4: [[HEX, 'hex3']],
  hex3: [[HEX, 'hex2']],
  hex2: [[HEX, 'hex1']],
  hex1: [[HEX, 'string']],
  tail1: [[[0x80, 0xbf], 'string']],
  tail2: [[[0x80, 0xbf], 'tail1']],
  tail3: [[[0x80, 0xbf], 'tail2']],
  // No overlong forms, no surrogates, nothing past U+10FFFF.
  afterE0: [[[0xa0, 0xbf], 'tail1']],
  afterEd: [[[0x80, 0x9f], 'tail1']],
  afterF0: [[[0x90, 0xbf], 'tail2']],
  afterF4: [[[0x80, 0x8f], 'tail2']],
  minus: [
    ['0', 'zero'],
    ['123456789', 'integer'],
  ],
  zero: [
    ['.', 'point'],
    ['eE', 'exponent'],
    [NUMBER_ENDS, 'endNumber'],
  ],
  integer: [
    [DIGITS, 'integer'],
    ['.', 'point'],
    ['eE', 'exponent'],
    [NUMBER_ENDS, 'endNumber'],
  ],
  point: [[DIGITS, 'fraction']],
  fraction: [
    [DIGITS, 'fraction'],
    ['eE', 'exponent'],
    [NUMBER_ENDS, 'endNumber'],
  ],
  exponent: [
    ['+-', 'exponentSign'],
    [DIGITS, 'exponentDigits'],
  ],
  exponentSign: [[DIGITS, 'exponentDigits']],
  exponentDigits: [
    [DIGITS, 'exponentDigits'],
    [NUMBER_ENDS, 'endNumber'],
  ],
  t: [['r', 'tr']],
  tr: [['u', 'tru']],
  tru: [['e', 'endLiteral']],
  f: [['a', 'fa']],
  fa: [['l', 'fal']],
  fal: [['s', 'fals']],
  fals: [['e', 'endLiteral']],
  n: [['u', 'nu']],
  nu: [['l', 'nul']],
  nul: [['l', 'endLiteral']],
};

/** What follows in state `s` at byte `b`, at `s << 8 | b`: a state, or from {@link FIRST_ACTION} on an action. */
export const TRANSITIONS = buildTransitions();

function buildTransitions(): Uint8Array {
  const table = new Uint8Array(STATE_NAMES.length << 8).fill(codeOf('fail'));
  for (const [state, name] of STATE_NAMES.entries()) {
    for (const [bytes, next] of ROWS[name]) {
      for (const byte of bytesOf(bytes)) table[(state << 8) | byte] = codeOf(next);
    }
  }
  return table;
}

function bytesOf(bytes: string | readonly [number, number]): number[] {
  if (typeof bytes === 'string') return Array.from(bytes, (character) => character.charCodeAt(0));
  return Array.from({ length: bytes[1] - bytes[0] + 1 }, (_, offset) => bytes[0] + offset);
}
