/** What one node knows and does about who the members are, as one immutable value. */

import type { Part, Progress, Told, TopologyFacts, Wish } from './told.ts';

/** What a node knows of another. */
export interface PeerView {
  /** The life that the link led to last; empty before it did. */
  readonly life: string;
  readonly isUp: boolean;
  /** What it told last, and the life that told it. */
  readonly told: Told | null;
  readonly toldBy: string;
  /** Counts what a life has told: what has the higher revision is newer. */
  readonly revision: number;
}

/** All that one node knows of who the members are: an immutable value. */
export interface Handover {
  readonly address: string;
  readonly life: string;
  /** Each address of -join, with the node that was found there; null for none yet. */
  readonly joins: Readonly<Record<string, string | null>>;
  /** Those of them that are not waited for. */
  readonly hints: readonly string[];
  readonly peers: Readonly<Record<string, PeerView>>;
  /** Lives that are over; what they tell no longer counts. */
  readonly over: readonly string[];
  readonly topology: TopologyFacts | null;
  readonly promised: number;
  readonly part: Part | null;
  readonly progress: Progress | null;
  /** Old owners of partitions that are this node's now, who have not given all of them yet. */
  readonly awaiting: readonly string[];
  /** Of those, the ones that no stream comes from. */
  readonly broken: readonly string[];
  /** New owners who have not been given all that is theirs. */
  readonly giving: readonly string[];
  readonly complete: number;
  readonly wishes: readonly Wish[];
  /** It was put out of its cluster, or has left: it serves nothing any more. */
  readonly isGone: boolean;
}

/** A node that has just started. */
export function startHandover(
  address: string,
  life: string,
  joins: readonly string[],
  hints: readonly string[] = [],
): Handover {
  const dialled = [...joins, ...hints];
  return {
    address,
    life,
    joins: Object.fromEntries(dialled.map((join) => [join, null])),
    hints,
    peers: {},
    over: [],
    topology: null,
    promised: 0,
    part: null,
    progress: null,
    awaiting: [],
    broken: [],
    giving: [],
    complete: 0,
    wishes: [],
    isGone: false,
  };
}

/** Whether the life of `address` is over: the link leads to another, or it is known to be. */
export function isOver({ over, peers }: Handover, address: string, life: string): boolean {
  const peer = peers[address];
  return over.includes(life) || (peer?.isUp === true && peer.life !== life);
}

/** What `address` told last, unless that life is over. */
export function heard(state: Handover, address: string): Told | null {
  const peer = state.peers[address];
  return peer === undefined || isOver(state, address, peer.toldBy) ? null : peer.told;
}

/** Whether all have got and given what this node's topology moved. */
export function isComplete({ topology, complete }: Handover): boolean {
  return topology !== null && complete >= topology.epoch;
}

/** The part that a node has in a plan which is neither aborted nor committed. */
export function livePart(part: Part | null): Part | null {
  return part === null || part.phase === 'aborted' ? null : part;
}
