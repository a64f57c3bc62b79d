/** Who owns what in a cluster, worked out as its nodes do. */

import type { Key } from '../src/base/key.ts';
import { Topology } from '../src/cluster/topology.ts';
import { KeySource } from './records.ts';

export const PARTITIONS = 16_384;

export function topologyOf(members: readonly string[]): Topology {
  return new Topology(
    { clusterId: '', epoch: 1, by: '', members, before: [], lives: {} },
    PARTITIONS,
  );
}

/** The first `count` keys that a member owns. */
export function ownedKeys(members: readonly string[], owner: string, count: number): Key[] {
  const topology = topologyOf(members);
  const position = topology.members.indexOf(owner);
  const source = new KeySource();
  const keys: Key[] = [];
  for (let n = 0; keys.length < count; n++) {
    const key = source.key(n);
    if (topology.ownerOf(topology.partitionOf(key)) === position) keys.push(key);
  }
  return keys;
}
