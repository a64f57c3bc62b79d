import { expect, test } from 'vitest';

import { checkEngine, FLAGS, type Config } from './config.ts';
import { parseFlags, UsageError } from './flags.ts';

const parse = (...argv: string[]) => parseFlags(FLAGS, argv, {});

test('the defaults are those of the seed', () => {
  expect(parse()).toMatchObject({
    'server-addr': { host: '127.0.0.1', port: 2373 },
    'client-addr': { host: '127.0.0.1', port: 8001 },
    join: undefined,
    'join-retries': 5,
    'num-partitions': 16_384,
  });
});

test.each([
  ['1', 1],
  ['64kb', 64_000],
  ['64KiB', 65_536],
  ['1mb', 1_000_000],
  ['16mib', 16_777_216],
  ['10b', 10],
])('-max-value-size %s is %i bytes', (text, bytes) => {
  expect(parse('-max-value-size', text)).toMatchObject({ 'max-value-size': bytes });
});

test.each([
  ['-max-value-size', '0'],
  ['-max-value-size', '17mib'],
  ['-max-value-size', '1.5mib'],
  ['-max-value-size', 'constructor'],
  ['-max-value-size', '1constructor'],
  ['-max-value-size', ''],
  ['-max-memory', '28gib'],
  ['-max-memory', '-1'],
  ['-num-partitions', '0'],
  ['-num-partitions', '65537'],
  ['-num-partitions', '1e3'],
  ['-num-partitions', '-1'],
  ['-join-retries', '-1'],
  ['-join-retries', '1001'],
  ['-server-addr', '2373'],
  ['-client-addr', 'localhost'],
  ['-client-addr', ':70000'],
  ['-join', 'a:1,b'],
  ['-cors-origin', 'example.com'],
  ['-cors-origin', 'https://example.com/'],
  ['-cors-origin', 'HTTPS://example.com'],
])('%s %j is refused by name', (flag, text) => {
  const refused = () => parse(flag, text);
  expect(refused).toThrow(UsageError);
  expect(refused).toThrow(`bad value ${JSON.stringify(text)} for ${flag}: it takes `);
});

test('-cors-origin may be repeated, and be all', () => {
  expect(
    parse('-cors-origin', 'https://a.example', '-cors-origin', 'http://localhost:3000'),
  ).toMatchObject({
    'cors-origin': ['https://a.example', 'http://localhost:3000'],
  });
  expect(parse('-cors-origin', '*')).toMatchObject({ 'cors-origin': ['*'] });
});

test('-join may be repeated, and take a list', () => {
  expect(parse('-join', 'a:1,b:2', '-join=c:3')).toMatchObject({
    join: [
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
      { host: 'c', port: 3 },
    ],
  });
});

const VALKEY = ['-engine', 'valkey', '-valkey-addr', 'a:6379', '-valkey-addr', 'b:6379'];

test('-engine takes redis for valkey, and -valkey-addr may be repeated', () => {
  expect(parse('-engine', 'redis', ...VALKEY.slice(2))).toMatchObject({
    engine: 'valkey',
    'valkey-addr': [
      { host: 'a', port: 6379 },
      { host: 'b', port: 6379 },
    ],
  });
});

test.each([
  [['-max-memory', '1gb', ...VALKEY], '-max-memory has no meaning with -engine valkey'],
  [['-join', 'c:1', ...VALKEY], '-join has no meaning with -engine valkey'],
  [['-valkey-addr', 'a:1'], '-valkey-addr has no meaning with -engine memory'],
  [['-valkey-accessed', 'lazy'], '-valkey-accessed has no meaning with -engine memory'],
  [['-engine', 'valkey'], '-engine valkey needs -valkey-addr'],
])('%j is refused: %s', (argv, message) => {
  const refused = () => checkEngine(parse(...argv) as Config);
  expect(refused).toThrow(UsageError);
  expect(refused).toThrow(message);
});

test('flags of the engine that is chosen, and those of both, are taken', () => {
  expect(() => {
    checkEngine(parse() as Config);
    checkEngine(parse('-max-memory', '1gb', '-join', 'c:1', '-tls-ca', 'x') as Config);
    checkEngine(parse('-max-value-size', '1mb', '-tls-cert', 'x', ...VALKEY) as Config);
  }).not.toThrow();
});

test('a hash tag in -valkey-prefix is refused: it would put all keys into one slot', () => {
  expect(() => parse('-valkey-prefix', 'a{b}')).toThrow(/without braces/);
  expect(parse('-valkey-prefix', 'é:')).toMatchObject({ 'valkey-prefix': '\xc3\xa9:' });
});

test('a password is read from the environment, never from the command line', () => {
  const env = { MEMHASHD_VALKEY_PASSWORD: 'a=b' };
  expect(parseFlags(FLAGS, [], env)).toMatchObject({ 'valkey-password': 'a=b' });
  expect(() => parse('-valkey-password', 'a')).toThrow(/set MEMHASHD_VALKEY_PASSWORD instead/);
});
