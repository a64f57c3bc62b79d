/** The topology: who the members are, at which epoch, and so which of them owns which partition. */

import type { Key } from '../base/key.ts';
import { partitionOf } from '../base/partition.ts';
import { clusterNumber, type Fence } from '../peer/fence.ts';
import { placePartitions } from './placement.ts';
import type { TopologyFacts } from './told.ts';

/** What was placed last: a change of members places those before it and those after it several times. */
const placed = new Map<string, Uint16Array>();
const PLACED_MAX = 4;

function ownersAmong(members: readonly string[], partitions: number): Uint16Array {
  const name = `${partitions} ${members.join(' ')}`;
  const owners = placed.get(name) ?? placePartitions(members, partitions);
  placed.delete(name);
  placed.set(name, owners);
  const [oldest] = placed.keys();
  if (placed.size > PLACED_MAX) placed.delete(oldest!);
  return owners;
}

/** An immutable value: the same facts give every node the same owners. */
export class Topology implements Fence {
  readonly facts: TopologyFacts;
  readonly cluster: number;
  readonly epoch: number;
  /** Sorted, so that all nodes count them alike. */
  readonly members: readonly string[];
  /** How many partitions each member owns, in the same order. */
  readonly shares: readonly number[];
  readonly #owners: Uint16Array;
  /** The owners before, as positions in the list of those members. */
  readonly #former: Uint16Array | undefined;

  constructor(facts: TopologyFacts, partitions: number) {
    const { clusterId, epoch, members, before } = facts;
    this.facts = facts;
    this.cluster = clusterNumber(clusterId);
    this.epoch = epoch;
    this.members = members;
    this.#owners = ownersAmong(members, partitions);
    this.#former = before.length === 0 ? undefined : ownersAmong(before, partitions);
    const shares = members.map(() => 0);
    for (const owner of this.#owners) shares[owner]!++;
    this.shares = shares;
  }

  get partitions(): number {
    return this.#owners.length;
  }

  /** The partition of a key. */
  partitionOf(key: Key): number {
    return partitionOf(key, this.#owners.length);
  }

  /** The owner of a partition, as a position in {@link members}. */
  ownerOf(partition: number): number {
    return this.#owners[partition]!;
  }

  /** How many partitions a member owns. */
  shareOf(member: string): number {
    return this.shares[this.members.indexOf(member)] ?? 0;
  }

  /** The owner of every partition, as positions in {@link members}. */
  owners(): number[] {
    return [...this.#owners];
  }

  /** The member that a partition came from with this topology; undefined if it has stayed. */
  giverOf(partition: number): string | undefined {
    if (this.#former === undefined) return undefined;
    const giver = this.facts.before[this.#former[partition]!]!;
    return giver === this.members[this.ownerOf(partition)] ? undefined : giver;
  }

  /** The partitions that move from one member to another with this topology, by new owner. */
  movesFrom(address: string): Map<string, number[]> {
    const moves = new Map<string, number[]>();
    const [giver, kept] = [this.facts.before.indexOf(address), this.members.indexOf(address)];
    for (let partition = 0; partition < this.partitions; partition++) {
      const owner = this.ownerOf(partition);
      if (this.#former?.[partition] !== giver || owner === kept) continue;
      const taker = this.members[owner]!;
      const moving = moves.get(taker);
      if (moving === undefined) moves.set(taker, [partition]);
      else moving.push(partition);
    }
    return moves;
  }
}
