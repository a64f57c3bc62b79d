/** The topology: who the members are, at which epoch, and so which of them owns which partition. */

import type { Key } from '../base/key.ts';
import { partitionOf } from '../base/partition.ts';
import { clusterNumber, type Fence } from '../peer/fence.ts';
import type { TopologyFacts } from '../peer/messages.ts';
import { placePartitions } from './placement.ts';

/** An immutable value: the same facts give every node the same owners. */
export class Topology implements TopologyFacts, Fence {
  readonly clusterId: string;
  readonly cluster: number;
  readonly epoch: number;
  /** Sorted, so that all nodes count them alike. */
  readonly members: readonly string[];
  /** How many partitions each member owns, in the same order. */
  readonly shares: readonly number[];
  readonly #owners: Uint16Array;

  constructor({ clusterId, epoch, members }: TopologyFacts, partitions: number) {
    this.clusterId = clusterId;
    this.cluster = clusterNumber(clusterId);
    this.epoch = epoch;
    this.members = members.toSorted();
    this.#owners = placePartitions(this.members, partitions);
    const shares = this.members.map(() => 0);
    for (const owner of this.#owners) shares[owner]!++;
    this.shares = shares;
  }

  /** The partition of a key. */
  partitionOf(key: Key): number {
    return partitionOf(key, this.#owners.length);
  }

  /** The owner of a partition, as a position in {@link members}. */
  ownerOf(partition: number): number {
    return this.#owners[partition]!;
  }

  /** The facts alone, to be sent. */
  facts(): TopologyFacts {
    const { clusterId, epoch, members } = this;
    return { clusterId, epoch, members };
  }
}
