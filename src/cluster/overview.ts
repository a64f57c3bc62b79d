/** The overview: who owns what and what is changing, as `GET /v1/topology` shows it. */

import type { Progress } from './migration.ts';
import { isComplete, livePart, type Handover } from './state.ts';
import { coordinatorOf, type Plan } from './told.ts';
import type { Topology } from './topology.ts';

/** How a handover ended. */
export interface Ending {
  readonly plan: Plan;
  readonly outcome: 'done' | 'given up';
  /** Why it was given up; empty if it was not. */
  readonly reason: string;
}

/** What an overview is made from. */
export interface Sight {
  readonly state: Handover;
  readonly topology: Topology;
  readonly members: readonly object[];
  readonly progress: Progress | undefined;
  readonly last: Ending | undefined;
}

/** The overview, without the owner of each partition unless `hasOwners`. */
export function overviewOf(sight: Sight, hasOwners: boolean): object {
  const { state, topology, members, last } = sight;
  return {
    cluster_id: topology.facts.clusterId,
    epoch: topology.epoch,
    partitions: topology.partitions,
    members,
    change: changeOf(sight),
    last: last === undefined ? null : endingOf(last),
    is_settled: isComplete(state),
    ...(hasOwners && { owners: topology.owners() }),
  };
}

function changeOf({ state, progress }: Sight): object | null {
  const part = livePart(state.part);
  if (part === null) return null;
  return {
    ...planOf(part.plan),
    coordinator: coordinatorOf(part.plan),
    phase: part.phase,
    waiting_for: Object.keys(part.plan.next.lives).filter((one) => !isAbreast(state, one)),
    copied_here: {
      partitions: progress?.partitionsDone ?? 0,
      partitions_total: progress?.partitions ?? 0,
      bytes: progress?.bytesDone ?? 0,
      bytes_total: progress?.bytes ?? 0,
    },
  };
}

/** Whether another party is as far as this node, or further. */
function isAbreast(state: Handover, address: string): boolean {
  if (address === state.address) return true;
  const peer = state.peers[address];
  const theirs = peer?.told?.part ?? null;
  if (peer?.isUp !== true || theirs === null) return false;
  const order = ['agreed', 'copying', 'ready'];
  return order.indexOf(theirs.phase) >= order.indexOf(state.part!.phase);
}

function endingOf({ plan, outcome, reason }: Ending): object {
  return { ...planOf(plan), outcome, ...(reason !== '' && { reason }) };
}

function planOf({ kind, who, next }: Plan): object {
  return { kind, who, epoch: next.epoch };
}
