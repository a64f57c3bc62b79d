import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { ProtocolError } from './frame.ts';
import { judge, parseHello, parseState, parseTopology, type Hello } from './messages.ts';

const clusterId = '11111111-1111-4111-8111-111111111111';
const topology = { clusterId, epoch: 1, members: ['a:1', 'b:1'] };

function helloOf(over: Partial<Hello> = {}, members: string[] | null = null): Hello {
  const address = over.address ?? 'a:1';
  return {
    protocol: 1,
    id: `${address.charCodeAt(0)}`.padStart(8, '0') + clusterId.slice(8),
    address,
    client: 'a:8001',
    partitions: 16_384,
    startedAt: 1000,
    state: {
      revision: 0,
      known: members ?? [address],
      hasReachedAll: true,
      topology: members && { ...topology, members },
    },
    ...over,
  };
}

const b = { address: 'b:1', startedAt: 2000 };

describe('judging a hello', () => {
  test('nodes that fit are welcome, formed or not', () => {
    expect(judge(helloOf(), helloOf(b))).toEqual({ kind: 'welcome' });
    expect(judge(helloOf({}, ['a:1', 'b:1']), helloOf(b))).toEqual({ kind: 'welcome' });
    expect(judge(helloOf(), helloOf(b, ['a:1', 'b:1']))).toEqual({ kind: 'welcome' });
  });

  test('a node finds itself by its id', () => {
    expect(judge(helloOf(), helloOf({ address: 'other:1', id: helloOf().id })).kind).toBe('self');
  });

  const mismatches: [string, Hello, Hello, RegExp][] = [
    ['protocol', helloOf(), helloOf({ ...b, protocol: 2 }), /version is 1 here and 2 there/],
    [
      'partitions',
      helloOf(),
      helloOf({ ...b, partitions: 64 }),
      /-num-partitions is 16384 here and 64 there/,
    ],
    [
      'address',
      helloOf(),
      helloOf({ startedAt: 2000, id: clusterId }),
      /both nodes say that they are a:1/,
    ],
    ['no member', helloOf({}, ['a:1', 'c:1']), helloOf(b), /b:1 is no member of cluster 1111/],
  ];

  test.each(mismatches)(
    'another %s: both name it, and the younger gives way',
    (_, older, younger, reason) => {
      const there = judge(older, younger);
      const here = judge(younger, older);
      expect(there).toMatchObject({ kind: 'refused', givesWay: false });
      expect(here).toMatchObject({ kind: 'refused', givesWay: true });
      expect('reason' in there && there.reason).toMatch(reason);
    },
  );

  test('of two clusters neither gives way, and both ids are named', () => {
    const other = helloOf(b, ['b:1']);
    const foreign = { ...topology, clusterId: clusterId.replaceAll('1', '2'), members: ['b:1'] };
    const verdict = judge(helloOf({}, ['a:1', 'b:1']), {
      ...other,
      state: { ...other.state, topology: foreign },
    });
    expect(verdict).toEqual({
      kind: 'refused',
      givesWay: false,
      reason: `the cluster id is ${clusterId} here and ${foreign.clusterId} there`,
    });
  });

  test('exactly one of two forming nodes gives way, also of the same age', () => {
    fc.assert(
      fc.property(fc.nat(3), fc.nat(3), (mine, yours) => {
        const one = helloOf({ startedAt: mine });
        const two = helloOf({ address: 'b:1', startedAt: yours, partitions: 1 });
        const verdicts = [judge(one, two), judge(two, one)];
        expect(verdicts.filter((v) => v.kind === 'refused' && v.givesWay)).toHaveLength(1);
      }),
    );
  });
});

describe('what a peer sends is checked field by field', () => {
  test('a hello comes back as it was sent', () => {
    const hello = helloOf({}, ['a:1', 'b:1']);
    expect(parseHello(JSON.stringify(hello))).toEqual(hello);
  });

  const wrong: [string, unknown][] = [
    ['id', 'x'],
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
    ['state', { revision: 1, known: [], hasReachedAll: true, topology: null }],
    ['state', { revision: 1, known: ['a:1', 'a:1'], hasReachedAll: true, topology: null }],
    ['state', { revision: 1, known: ['a:1'], hasReachedAll: 1, topology: null }],
    ['state', { revision: 1, known: ['a:1'], hasReachedAll: true }],
    ['state', { revision: -1, known: ['a:1'], hasReachedAll: true, topology: null }],
    [
      'state',
      { revision: 1, known: ['a:1'], hasReachedAll: true, topology: { ...topology, epoch: 0 } },
    ],
    [
      'state',
      {
        revision: 1,
        known: ['a:1'],
        hasReachedAll: true,
        topology: { ...topology, members: 'a:1' },
      },
    ],
    [
      'state',
      {
        revision: 1,
        known: Array.from({ length: 257 }, (_, n) => `a:${n + 1}`),
        hasReachedAll: true,
        topology: null,
      },
    ],
  ];

  test.each(wrong)('a hello with a bad %s is refused: %j', (name, value) => {
    const text = JSON.stringify({ ...helloOf(), [name]: value });
    expect(() => parseHello(text)).toThrow(ProtocolError);
  });

  test('any text at all is read or refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        for (const parse of [parseHello, parseState, parseTopology]) {
          expect(() => parse(text)).toThrow(ProtocolError);
        }
      }),
    );
  });
});
