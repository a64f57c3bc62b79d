import { expect, test } from 'vitest';

import { describeFlags, parseFlags, UsageError } from './flags.ts';

const flags = {
  'client-addr': {
    placeholder: 'HOST:PORT',
    help: 'Where clients\n      connect.',
    fallback: 'here:1',
    parse: (text: string) => text,
  },
  size: {
    placeholder: 'N',
    help: 'How much.',
    fallback: undefined,
    parse(text: string) {
      if (!/^-?\d+$/.test(text)) throw new Error('it takes a number');
      return Number(text);
    },
  },
  join: {
    placeholder: 'HOST',
    help: 'Whom.',
    fallback: undefined,
    repeatable: true,
    parse: (text: string) => text.split(','),
  },
} as const;

const parse = (argv: string[], env: Record<string, string> = {}) => parseFlags(flags, argv, env);

test.each([[['-size', '7']], [['-size=7']], [['--size', '7']], [['--size=7']]])(
  '%j is one form of the same flag',
  (argv) => {
    expect(parse(argv)).toEqual({ 'client-addr': 'here:1', size: 7, join: undefined });
  },
);

test('a value may start with a dash, have equals signs, or be empty', () => {
  expect(parse(['-size', '-7'])).toMatchObject({ size: -7 });
  expect(parse(['-client-addr=a=b'])).toMatchObject({ 'client-addr': 'a=b' });
  expect(parse(['-client-addr='])).toMatchObject({ 'client-addr': '' });
});

test('a flag goes before its variable, a variable before the default, an empty one is none', () => {
  const env = { MEMHASHD_CLIENT_ADDR: 'env:1', MEMHASHD_SIZE: '' };
  expect(parse([], env)).toEqual({ 'client-addr': 'env:1', size: undefined, join: undefined });
  expect(parse(['-client-addr', 'flag:1'], env)).toMatchObject({ 'client-addr': 'flag:1' });
});

test('a repeatable flag gathers its values, of another the last counts', () => {
  const argv = ['-join', 'a', '-size=1', '--join=b,c', '-size=2'];
  expect(parse(argv, { MEMHASHD_JOIN: 'd' })).toMatchObject({ join: ['a', 'b', 'c'], size: 2 });
});

test.each(['-help', '--help', '-h'])('%s asks for help', (argument) => {
  expect(parse(['-size', '1', argument])).toBe('help');
});

test('-version asks for the version', () => {
  expect(parse(['-version'])).toBe('version');
});

test.each([
  [['-nope'], 'unknown flag -nope; -help lists the flags'],
  [['-constructor', 'x'], 'unknown flag -constructor; -help lists the flags'],
  [['size'], 'unexpected argument "size"; -help lists flags and commands'],
  [['--'], 'unexpected argument "--"; -help lists flags and commands'],
  [['---size=1'], 'unexpected argument "---size=1"; -help lists flags and commands'],
  [['-__proto__=1'], 'unexpected argument "-__proto__=1"; -help lists flags and commands'],
  [['-a\nb'], String.raw`unexpected argument "-a\nb"; -help lists flags and commands`],
  [['-size'], '-size needs a value, N'],
  [['-size', 'x\ny'], String.raw`bad value "x\ny" for -size: it takes a number`],
])('%j is a mistake: %s', (argv, message) => {
  expect(() => parse(argv)).toThrow(new UsageError(message));
});

test('a bad value in the environment names the variable', () => {
  expect(() => parse([], { MEMHASHD_SIZE: 'x' })).toThrow(
    new UsageError('bad value "x" for MEMHASHD_SIZE: it takes a number'),
  );
});

test('the help lists every flag with its default', () => {
  expect(describeFlags(flags)).toBe(
    [
      '  -client-addr HOST:PORT',
      '        Where clients',
      '        connect.',
      '        (default here:1)',
      '  -size N',
      '        How much.',
      '  -join HOST',
      '        Whom.',
      '        (may be repeated)',
    ].join('\n'),
  );
});

test('a switch needs no value, and takes one behind an equals sign only', () => {
  const switches = {
    loud: {
      placeholder: 'true|false',
      help: 'Be loud.',
      fallback: 'false',
      isSwitch: true,
      parse: (text: string) => text === 'true',
    },
  };
  const values = (argv: string[], env = {}) => parseFlags(switches, argv, env);
  expect(values([])).toEqual({ loud: false });
  expect(values(['-loud'])).toEqual({ loud: true });
  expect(values(['-loud=false'], { MEMHASHD_LOUD: 'true' })).toEqual({ loud: false });
  expect(values([], { MEMHASHD_LOUD: 'true' })).toEqual({ loud: true });
  expect(() => values(['-loud', 'true'])).toThrow(UsageError);
  expect(describeFlags(switches)).toBe('  -loud\n        Be loud.');
});
