import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { ProtocolError } from './frame.ts';
import { parseHello, parseState, PROTOCOL, type Hello } from './messages.ts';

function helloOf(): Hello {
  return {
    protocol: PROTOCOL,
    id: '11111111-1111-4111-8111-111111111111',
    life: '22222222-1111-4111-8111-111111111111',
    address: 'a:1',
    client: 'a:8001',
    partitions: 16_384,
    startedAt: 1000,
    state: { revision: 0, told: { any: 'thing' } },
  };
}

describe('what a peer sends is checked field by field', () => {
  test('a hello comes back as it was sent', () => {
    const hello = helloOf();
    expect(parseHello(JSON.stringify(hello))).toEqual(hello);
  });

  const wrong: [string, unknown][] = [
    ['id', 'x'],
    ['life', 'x'],
    ['address', 'no port'],
    ['address', `${'a'.repeat(300)}:1`],
    ['address', ':1'],
    ['client', 7],
    ['partitions', 0],
    ['partitions', 65_537],
    ['partitions', 1.5],
    ['startedAt', -1],
    ['protocol', '1'],
    ['state', null],
    ['state', { revision: -1, told: null }],
    ['state', { told: null }],
  ];

  test.each(wrong)('a hello with a bad %s is refused: %j', (name, value) => {
    const text = JSON.stringify({ ...helloOf(), [name]: value });
    expect(() => parseHello(text)).toThrow(ProtocolError);
  });

  test('any text at all is read or refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        for (const parse of [parseHello, parseState]) {
          expect(() => parse(text)).toThrow(ProtocolError);
        }
      }),
    );
  });
});
