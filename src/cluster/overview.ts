/** The overview: who owns what and what is changing, as `GET /v1/topology` shows it. */

import { heard, isComplete, livePart, type Handover } from './state.ts';
import { coordinatorOf, isPlanOf, type Phase, type Plan } from './told.ts';
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
  readonly last: Ending | undefined;
}

/** The overview, by what all have told: the same at every node, but for what is under way between them. */
export function overviewOf({ state, topology, members, last }: Sight): object {
  return {
    cluster_id: topology.facts.clusterId,
    epoch: topology.epoch,
    partitions: topology.partitions,
    members,
    change: changeOf(state, last),
    last: last === undefined ? null : endingOf(last),
    is_settled: isComplete(state),
  };
}

function changeOf(state: Handover, last: Ending | undefined): object | null {
  const plan = livePart(state.part)?.plan;
  if (plan !== undefined) return underWay(state, plan);
  const isSettling = last?.outcome === 'done' && !isComplete(state);
  return isSettling && isPlanOf(last.plan, state.topology) ? settling(state, last.plan) : null;
}

function underWay(state: Handover, plan: Plan): object {
  const parties = Object.keys(plan.next.lives);
  const phases = parties.map((party) => phaseOf(state, party, plan));
  const hasBegun = phases.some((phase) => phase === 'copying' || phase === 'ready');
  const isDone = (phase: Phase | undefined): boolean =>
    hasBegun ? phase === 'ready' : phase === 'agreed';
  const phase = !hasBegun ? 'agreed' : phases.every(isDone) ? 'ready' : 'copying';
  return {
    ...planOf(plan),
    coordinator: coordinatorOf(plan),
    phase,
    waiting_for: parties.filter((_, at) => !isDone(phases[at])),
    copied: copiesOf(state, parties),
  };
}

/** How far a party is with a plan; undefined if it has no part in it, or is out of reach. */
function phaseOf(state: Handover, party: string, plan: Plan): Phase | undefined {
  if (party === state.address) return state.part!.phase;
  const theirs = state.peers[party]?.isUp === true ? heard(state, party)?.part : undefined;
  return theirs && isPlanOf(plan, theirs.plan.next) ? theirs.phase : undefined;
}

function copiesOf(state: Handover, parties: readonly string[]): object[] {
  return parties.flatMap((addr) => {
    const progress = addr === state.address ? state.progress : heard(state, addr)?.progress;
    if (!progress) return [];
    return {
      addr,
      partitions: progress.partitionsDone,
      partitions_total: progress.partitions,
      bytes: progress.bytesDone,
      bytes_total: progress.bytes,
    };
  });
}

/** The topology holds, and not everybody has got and given all. */
function settling(state: Handover, plan: Plan): object {
  const hasSettled = (member: string): boolean => {
    if (member === state.address) return state.awaiting.length + state.giving.length === 0;
    const told = heard(state, member);
    return told?.isSettled === true && isPlanOf(plan, told.topology);
  };
  return {
    ...planOf(plan),
    coordinator: coordinatorOf(plan),
    phase: 'committed',
    waiting_for: plan.next.members.filter((member) => !hasSettled(member)),
    copied: [],
  };
}

function endingOf({ plan, outcome, reason }: Ending): object {
  return { ...planOf(plan), outcome, ...(reason !== '' && { reason }) };
}

function planOf({ kind, who, next }: Plan): object {
  return { kind, who, epoch: next.epoch };
}
