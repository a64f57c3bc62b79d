/** What nodes tell each other about who the members are, and are to be. */

/** What a topology is made from, and how it travels. */
export interface TopologyFacts {
  /** Made when the cluster forms; two clusters never have the same. */
  readonly clusterId: string;
  /** The number of the topology, from 1; of two topologies of a cluster the higher one is valid. */
  readonly epoch: number;
  /** The life that declared it: with the epoch it names the handover that led to it. */
  readonly by: string;
  /** The addresses of all members, sorted; the owner of each partition follows from them. */
  readonly members: readonly string[];
  /** The members of the topology before it, sorted; none where the cluster has just formed. */
  readonly before: readonly string[];
  /** The life of everybody who agreed to it, by address. */
  readonly lives: Readonly<Record<string, string>>;
}

export const PLAN_KINDS = ['form', 'join', 'leave', 'forget'] as const;

/** A handover that is proposed: the topology to come, and why. */
export interface Plan {
  readonly kind: (typeof PLAN_KINDS)[number];
  /** Who comes or goes. */
  readonly who: readonly string[];
  readonly next: TopologyFacts;
}

export const PHASES = ['agreed', 'copying', 'ready', 'aborted'] as const;

/**
 * How far a node is with a plan. `agreed`: it holds itself ready for it. `copying`: it copies what
 * moves, and mirrors what is written to that. `ready`: all is copied, and it cannot give up by itself.
 * `aborted`: the old topology stands.
 */
export type Phase = (typeof PHASES)[number];

/** What a node has to do with a plan. */
export interface Part {
  readonly plan: Plan;
  readonly phase: Phase;
  /** Why it was aborted. */
  readonly reason: string;
  /** The addresses of those who agreed and whose life is known to be over, sorted. */
  readonly over: readonly string[];
}

/** How far the copies of one node are. */
export interface Progress {
  readonly partitions: number;
  readonly partitionsDone: number;
  /** The most memory that the records take where they go. */
  readonly bytes: number;
  readonly bytesDone: number;
}

/** What an operator wants of a member. */
export interface Wish {
  readonly kind: 'leave' | 'forget';
  readonly who: string;
  /** The life that is meant: the wish is not for another one at the same address. */
  readonly life: string;
}

/** What a node tells. */
export interface Told {
  /** The nodes that its -join led to; those of a member are the members. Sorted. */
  readonly joins: readonly string[];
  /** Whether each address of -join that is waited for has led to one. */
  readonly hasReachedAll: boolean;
  /** While the cluster is forming: every node that -join leads to, over others too, sorted. */
  readonly known: readonly string[];
  /** Null before the node is a member for the first time. */
  readonly topology: TopologyFacts | null;
  /** The cluster that it wants to become a member of; empty for none. */
  readonly joining: string;
  /** The highest epoch that it has agreed to. */
  readonly promised: number;
  readonly part: Part | null;
  /** How far its copies are; null where it has none to make. */
  readonly progress: Progress | null;
  /** Whether it has got and given all that its topology moved. */
  readonly isSettled: boolean;
  /** The last epoch of which it is known that every member has settled. */
  readonly complete: number;
  readonly wishes: readonly Wish[];
  /** Lives that are over, as this node knows: each has been replaced, or was forgotten. */
  readonly over: readonly string[];
}

/** Whether a plan is the one that led to a topology. */
export function isPlanOf(plan: Plan, topology: TopologyFacts | null): boolean {
  return topology !== null && isSame(plan.next, topology);
}

/** Whether two topologies are the same one. */
function isSame(one: TopologyFacts, other: TopologyFacts): boolean {
  return one.epoch === other.epoch && one.by === other.by && one.clusterId === other.clusterId;
}

/** The new owners to whom `address` gives partitions by a topology; to some perhaps none at all. */
export function takersOf({ members, before }: TopologyFacts, address: string): string[] {
  if (!before.includes(address)) return [];
  if (!members.includes(address)) return [...members];
  return members.filter((member) => !before.includes(member));
}

/** The old owners from whom `address` gets partitions by a topology; from some perhaps none at all. */
export function giversOf({ members, before, lives }: TopologyFacts, address: string): string[] {
  if (!members.includes(address)) return [];
  const isNew = !before.includes(address);
  return before.filter(
    (giver) =>
      giver !== address && Object.hasOwn(lives, giver) && (isNew || !members.includes(giver)),
  );
}

/** Who coordinates a handover: the lowest address of those who are there before it, and stay in touch. */
export function coordinatorOf({ kind, who, next }: Plan): string | undefined {
  if (kind === 'form') return next.members[0];
  return next.before.find((member) => kind !== 'forget' || !who.includes(member));
}
