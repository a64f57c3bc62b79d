/** Forming: whom -join leads to, and when it is certain who the first members are. */

import { heard, livePart, type Handover } from './state.ts';
import type { TopologyFacts } from './told.ts';

/**
 * Every node that -join leads to, over others too, this one included, sorted. It follows from what is
 * linked and told now: an address that was heard of once and never led to a node is soon forgotten.
 */
export function knownAddresses(state: Handover): string[] {
  const known = new Set([state.address]);
  for (const address of known) {
    const joins =
      address === state.address ? Object.values(state.joins) : heard(state, address)?.joins;
    for (const join of joins ?? []) if (join !== null) known.add(join);
  }
  return [...known].toSorted();
}

/** The addresses of -join that are waited for and have not led to a node yet. */
export function unreachedJoins({ joins, hints }: Handover): string[] {
  return Object.keys(joins).filter((join) => joins[join] === null && !hints.includes(join));
}

/** The addresses that forming waits for, because there is no link to them. */
export function missingAddresses(state: Handover): string[] {
  const unlinked = knownAddresses(state).filter(
    (address) => address !== state.address && state.peers[address]?.isUp !== true,
  );
  return [...new Set([...unreachedJoins(state), ...unlinked])].toSorted();
}

/** The topology of a cluster that -join leads to, where this node is no member of any yet. */
export function joiningTopology(state: Handover): TopologyFacts | null {
  if (state.topology !== null) return null;
  for (const address of knownAddresses(state)) {
    const told = heard(state, address);
    if (told === null || told.topology === null || !state.peers[address]!.isUp) continue;
    if (!Object.hasOwn(told.topology.lives, address)) continue;
    // What names this node, and may be replaced this moment, is not what it can start with.
    const isMember = told.topology.members.includes(state.address);
    if (!isMember || livePart(told.part) === null) return told.topology;
  }
  return null;
}

/**
 * Whether it is for this node to declare the members of a new cluster: it is linked to every node that
 * -join leads to, all of those know the very same ones, and its address is the lowest.
 */
export function isDeclarable(state: Handover): boolean {
  const known = knownAddresses(state);
  if (state.topology !== null || known[0] !== state.address) return false;
  if (missingAddresses(state).length > 0) return false;
  return known.slice(1).every((address) => {
    const told = heard(state, address);
    if (told === null || told.topology !== null || !told.hasReachedAll) return false;
    return told.known.join() === known.join();
  });
}
