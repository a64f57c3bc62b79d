import fc from 'fast-check';
import { expect, test } from 'vitest';

import { placePartitions } from './placement.ts';

/** How far the share that is furthest from even is from it, relative to it. */
function unevenness(members: readonly string[], partitions: number): number {
  const shares = members.map(() => 0);
  for (const owner of placePartitions(members, partitions)) shares[owner]!++;
  const even = partitions / members.length;
  return Math.max(...shares.map((share) => Math.abs(share - even) / even));
}

const addressSets: [string, (n: number, set: number) => string][] = [
  ['hosts of one network', (n, set) => `10.0.${set}.${n}:2373`],
  ['ports of one host', (n, set) => `127.0.0.1:${2000 + 3 * set + n}`],
  ['host names', (n, set) => `node${n}.cluster-${set}.example:2373`],
  ['IPv6 addresses', (n, set) => `[fd00::${set}:${n}]:2373`],
];

test.each(addressSets)('16,384 partitions over three %s are within 3 %% of even', (_, address) => {
  const sets = Array.from({ length: 100 }, (_unused, set) => [1, 2, 3].map((n) => address(n, set)));
  expect(sets.filter((members) => unevenness(members, 16_384) >= 0.03)).toEqual([]);
});

test('the three nodes of the compose file are within 3 % of even', () => {
  expect(unevenness(['node1:2371', 'node2:2372', 'node3:2373'], 16_384)).toBeLessThan(0.03);
});

const memberLists = fc.uniqueArray(fc.stringMatching(/^[a-z0-9.]{1,20}:\d{1,5}$/), {
  minLength: 1,
  maxLength: 12,
});
const partitionCounts = fc.integer({ min: 1, max: 3000 });

test('a member that is added takes partitions over and moves none between the others', () => {
  fc.assert(
    fc.property(memberLists, partitionCounts, (members, partitions) => {
      const before = placePartitions(members.slice(1), partitions);
      const after = placePartitions(members, partitions);
      // What the new member did not take is where it was; positions are shifted by one.
      const moved = after.findIndex((owner, at) => owner !== 0 && owner - 1 !== before[at]);
      expect(moved).toBe(-1);
    }),
  );
});

test('owners do not depend on the order of the members', () => {
  fc.assert(
    fc.property(memberLists, partitionCounts, (members, partitions) => {
      const reversed = members.toReversed();
      const owners = [...placePartitions(members, partitions)].map((owner) => members[owner]);
      const others = [...placePartitions(reversed, partitions)].map((owner) => reversed[owner]);
      expect(others).toEqual(owners);
    }),
  );
});
