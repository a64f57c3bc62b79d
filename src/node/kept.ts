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

/**
 * Whom to dial: those of -join, and who was a member with this node, so that a cluster that was stopped
 * forms with all its members again. A node that has another address than then cannot tell.
 */
export function joinsOf(
  joins: readonly string[],
  kept: KeptTopology | undefined,
  self: string,
): string[] {
  const isSame = kept !== undefined && !kept.hasLeft && kept.members.includes(self);
  const members = isSame ? kept.members.filter((member) => member !== self) : [];
  return [...new Set([...joins, ...members])];
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
