/** Forming: how nodes that list each other agree, without a leader, on who the members are. */

import { MEMBERS_MAX } from '../base/limits.ts';
import type { NodeState } from '../peer/messages.ts';

/**
 * What one node knows while the cluster is forming. It knows no network and no clock: it is told what
 * happens and says what to dial and when the members are certain.
 *
 * The members are certain to a node when it is linked to every address it has heard of, and all of
 * those report the very same addresses. Any two nodes that hear of each other then wait for one
 * another, and only the lowest address may declare, so two clusters cannot come of one set of lists.
 */
export class Forming {
  readonly #self: string;
  /** The addresses of `-join`, each with the node that was found there: itself, or under another name. */
  readonly #joins: Map<string, string | undefined>;
  /** The other nodes heard of, by address. */
  readonly #peers = new Map<string, Peer>();
  #revision = 0;

  constructor(self: string, joins: readonly string[]) {
    this.#self = self;
    this.#joins = new Map(joins.map((join) => [join, join === self ? self : undefined]));
  }

  /** What to tell the others. */
  state(): NodeState {
    const known = [this.#self, ...this.#peers.keys()].toSorted();
    const hasReachedAll = this.#unreached().length === 0;
    return { revision: this.#revision, known, hasReachedAll, topology: null };
  }

  /** The addresses to be linked to. */
  targets(): string[] {
    return [...new Set([...this.#unreached(), ...this.#peers.keys()])];
  }

  /** At the address `dialled` there is the node `address`, which may be this one. */
  found(dialled: string, address: string): void {
    if (this.#joins.has(dialled) && this.#joins.get(dialled) !== address) {
      this.#joins.set(dialled, address);
      this.#revision++;
    }
    this.#hear(address);
  }

  /** The link to `address` is up, to the life `id` of the node there. */
  linked(address: string, id: string): void {
    const peer = this.#hear(address);
    if (peer !== undefined) peer.linkedId = id;
  }

  /**
   * The life `id` of the node `address` has told its state. States come over two connections, the one
   * that was dialled here and the one that was dialled there, so an older one may come last.
   */
  reported(address: string, id: string, state: NodeState): void {
    const peer = this.#hear(address);
    if (peer === undefined) return;
    const { report, linkedId } = peer;
    const isOlder = report?.id === id && report.state.revision > state.revision;
    const isOfFormerLife = report?.id === linkedId && linkedId !== undefined && linkedId !== id;
    if (!isOlder && !isOfFormerLife) peer.report = { id, state };
    for (const known of state.known) this.#hear(known);
  }

  /** The link to `address` is down. */
  lost(address: string): void {
    if (this.#peers.has(address)) this.#peers.set(address, {});
  }

  /** The addresses that forming waits for, because there is no link to them. */
  missing(): string[] {
    const unlinked = [...this.#peers].filter(([, { linkedId }]) => linkedId === undefined);
    return [...new Set([...this.#unreached(), ...unlinked.map(([address]) => address)])].toSorted();
  }

  /** The members, if they are certain and it is for this node to declare them. */
  declarable(): readonly string[] | undefined {
    const { known, hasReachedAll } = this.state();
    if (known[0] !== this.#self || !hasReachedAll) return undefined;
    for (const { linkedId, report } of this.#peers.values()) {
      if (report === undefined || report.id !== linkedId) return undefined;
      if (!report.state.hasReachedAll || report.state.known.join() !== known.join()) {
        return undefined;
      }
    }
    return known;
  }

  #unreached(): string[] {
    return [...this.#joins].filter(([, found]) => found === undefined).map(([join]) => join);
  }

  #hear(address: string): Peer | undefined {
    const known = this.#peers.get(address);
    if (known !== undefined || address === this.#self) return known;
    if (this.#peers.size + 1 === MEMBERS_MAX) return undefined;
    const peer = {};
    this.#peers.set(address, peer);
    this.#revision++;
    return peer;
  }
}

interface Peer {
  /** The id of the node that the link leads to; undefined while it is down. */
  linkedId?: string;
  /** The newest state that is known, and the id of who told it. */
  report?: { readonly id: string; readonly state: NodeState };
}
