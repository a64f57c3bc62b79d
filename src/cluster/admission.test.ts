import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { Hello } from '../peer/messages.ts';
import { judge, type Introduction } from './admission.ts';
import { tell } from './handover.ts';
import { startHandover } from './state.ts';

const clusterId = '11111111-1111-4111-8111-111111111111';

function helloOf(
  over: Partial<Hello> = {},
  members: string[] | null = null,
  cluster = clusterId,
): Introduction {
  const address = over.address ?? 'a:1';
  const told = {
    ...tell(startHandover(address, clusterId, [])),
    topology: members && { clusterId: cluster, epoch: 1, by: '', members, before: [], lives: {} },
  };
  const hello = {
    protocol: 1,
    id: clusterId,
    life: `${address.charCodeAt(0)}`.padStart(8, '0') + clusterId.slice(8),
    address,
    client: 'a:8001',
    partitions: 16_384,
    startedAt: 1000,
    state: { revision: 0, told },
    ...over,
  };
  return { hello, told };
}

const b = { address: 'b:1', startedAt: 2000 };

describe('judging a hello', () => {
  test('nodes that fit are welcome, formed or not', () => {
    expect(judge(helloOf(), helloOf(b))).toEqual({ kind: 'welcome' });
    expect(judge(helloOf({}, ['a:1', 'b:1']), helloOf(b))).toEqual({ kind: 'welcome' });
    expect(judge(helloOf(), helloOf(b, ['b:1']))).toEqual({ kind: 'welcome' });
  });

  test('a node finds itself by its life', () => {
    expect(judge(helloOf(), helloOf({ address: 'other:1', life: helloOf().hello.life })).kind).toBe(
      'self',
    );
  });

  const mismatches: [string, Introduction, Introduction, RegExp][] = [
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
      helloOf({ startedAt: 2000, life: clusterId }),
      /both nodes say that they are a:1/,
    ],
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
    const foreign = clusterId.replaceAll('1', '2');
    expect(judge(helloOf({}, ['a:1']), helloOf(b, ['b:1'], foreign))).toEqual({
      kind: 'refused',
      givesWay: false,
      reason: `the cluster id is ${clusterId} here and ${foreign} there`,
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
