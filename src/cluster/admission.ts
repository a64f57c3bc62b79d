/** Admission: whether two nodes may be of one cluster, judged by their hellos alone. */

import type { Hello } from '../peer/messages.ts';
import type { Told } from './told.ts';

/** A node as its hello shows it. */
export interface Introduction {
  readonly hello: Hello;
  readonly told: Told;
}

/** What follows from a hello. */
export type Verdict =
  | { readonly kind: 'welcome' }
  /** The node has dialled itself. */
  | { readonly kind: 'self' }
  /** The two cannot be of one cluster; `givesWay` says whether it is this node that must go. */
  | { readonly kind: 'refused'; readonly reason: string; readonly givesWay: boolean };

/**
 * Judges the hello of another node. Both sides judge by the same facts, so both name the same
 * reason, and at most one gives way: the one that is no member yet, of two such the younger.
 */
export function judge(ours: Introduction, theirs: Introduction): Verdict {
  if (ours.hello.life === theirs.hello.life) return { kind: 'self' };
  const reason = mismatch(ours, theirs);
  if (reason === undefined) return { kind: 'welcome' };
  return { kind: 'refused', reason, givesWay: givesWay(ours, theirs) };
}

function mismatch(ours: Introduction, theirs: Introduction): string | undefined {
  const [here, there] = [ours.hello, theirs.hello];
  if (here.protocol !== there.protocol) {
    return differ('protocol version', here.protocol, there.protocol);
  }
  if (here.partitions !== there.partitions) {
    return differ('-num-partitions', here.partitions, there.partitions);
  }
  if (here.address === there.address) return `both nodes say that they are ${here.address}`;
  const [cluster, other] = [ours.told.topology?.clusterId, theirs.told.topology?.clusterId];
  if (cluster === undefined || other === undefined || cluster === other) return undefined;
  return differ('cluster id', cluster, other);
}

function differ(what: string, here: string | number, there: string | number): string {
  return `the ${what} is ${here} here and ${there} there`;
}

function givesWay(ours: Introduction, theirs: Introduction): boolean {
  if (ours.told.topology !== null) return false;
  const [here, there] = [ours.hello, theirs.hello];
  if (theirs.told.topology !== null || here.startedAt !== there.startedAt) {
    return theirs.told.topology !== null || here.startedAt > there.startedAt;
  }
  return here.address > there.address;
}
