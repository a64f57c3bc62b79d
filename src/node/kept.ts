/** What a node with a data directory remembers of its cluster. */

import { placePartitions } from '../cluster/placement.ts';
import type { TopologyFacts } from '../cluster/told.ts';

/** The last topology that the node went by. */
export interface KeptTopology extends Pick<TopologyFacts, 'clusterId' | 'epoch' | 'members'> {
  /** Whether it handed all over and left; what is still on its disk belongs to others. */
  readonly hasLeft: boolean;
}

/** What was remembered; undefined if nothing. */
export function readKept(found: unknown): KeptTopology | undefined {
  const { members, ...rest } = (found ?? {}) as Partial<KeptTopology>;
  if (!Array.isArray(members)) return undefined;
  return { clusterId: '', epoch: 0, hasLeft: false, ...rest, members };
}

/** Whom a node dials: those whom it waits for before a cluster forms, and others. */
export interface Joins {
  readonly join: readonly string[];
  readonly hints: readonly string[];
}

/**
 * A node that remembers its members waits for those, so that a cluster that was stopped forms with all of
 * them again; who else is in -join may have left long ago. A node that was alone all the time, or has
 * another address than then, goes by -join.
 */
export function joinsOf(
  joins: readonly string[],
  kept: KeptTopology | undefined,
  self: string,
): Joins {
  const isMember = kept !== undefined && !kept.hasLeft && kept.members.includes(self);
  const hadOthers = isMember && (kept.members.length > 1 || kept.epoch > 1);
  if (!hadOthers) return { join: joins, hints: [] };
  const join = kept.members.filter((member) => member !== self || joins.includes(self));
  return { join, hints: joins.filter((address) => !join.includes(address)) };
}

/** Tells partitions that were another member's already, whose records here are of no use any more. */
export function wasOthers(
  kept: KeptTopology | undefined,
  self: string,
  partitions: number,
): (partition: number) => boolean {
  if (kept === undefined || !kept.members.includes(self)) return () => false;
  const owners = placePartitions(kept.members, partitions);
  return (partition) => kept.members[owners[partition]!] !== self;
}
