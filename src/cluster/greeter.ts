/**
 * The greeter: what this node says to other nodes first, whom of them it lets in, and what happens to
 * peers, as events of the handover.
 */

import type { Logger } from 'pino';

import type { Clock } from '../base/clock.ts';
import { JOIN_WAIT_MAX_MS, REDIAL_MAX_MS } from '../base/limits.ts';
import type { Timers } from '../base/timers.ts';
import type { PeerEvent } from '../peer/host.ts';
import { PROTOCOL, type Hello } from '../peer/messages.ts';
import type { Peers } from '../peer/peers.ts';
import type { NodeRef } from '../record/reply.ts';
import { judge } from './admission.ts';
import { tell } from './handover.ts';
import type { Membership } from './membership.ts';
import { News } from './news.ts';
import { isOver } from './state.ts';
import { readTold } from './told-reader.ts';

export interface GreeterOptions {
  readonly self: NodeRef;
  readonly partitions: number;
  /** The addresses of `-join`; with none the node is a cluster of one. */
  readonly join: readonly string[];
  /** How often an address of `-join` is tried again before the first was reached. */
  readonly joinRetries: number;
  readonly clock: Clock;
  readonly timers: Timers;
  /** From 0 to less than 1. */
  readonly random: () => number;
  readonly log: Logger;
}

export class Greeter {
  /** The address that clients of this node use. */
  client = '';
  readonly #options: GreeterOptions;
  readonly #membership: Membership;
  readonly #peers: Peers;
  readonly #log: Logger;
  readonly #news: News;
  readonly #self: string;
  readonly #startedAt: number;
  /** The last life that was seen of each peer. */
  readonly #lives = new Map<string, Hello>();
  /** Whether a node of `-join` has been reached. */
  #hasContact = false;
  /** Whether another node was found at this one's own address when that was dialled last. */
  #isTaken = false;

  constructor(options: GreeterOptions, membership: Membership, peers: Peers) {
    const { self, clock, timers, log } = options;
    this.#options = options;
    this.#membership = membership;
    this.#peers = peers;
    this.#log = log;
    this.#news = new News(log, () => timers.nowMs());
    this.#self = self.addr;
    this.#startedAt = clock();
  }

  /** The last life that was seen of a peer. */
  lastSeen(address: string): Hello | undefined {
    return this.#lives.get(address);
  }

  /** What this node says first. */
  hello(): Hello {
    const { self, partitions } = this.#options;
    return {
      protocol: PROTOCOL,
      id: self.id,
      life: this.#membership.state.life,
      address: self.addr,
      client: this.client,
      partitions,
      startedAt: this.#startedAt,
      state: this.#membership.nodeState(),
    };
  }

  /** Decides on what another node has said first, as `PeerHost` has it; a text refuses it. */
  admit(peer: Hello, dialled: string | undefined): string | undefined {
    const told = readTold(peer.state.told);
    const ours = { hello: this.hello(), told: tell(this.#membership.state) };
    const verdict = judge(ours, { hello: peer, told });
    if (verdict.kind === 'refused') {
      this.#isTaken = dialled === this.#self;
      return this.#refuse(dialled ?? peer.address, peer.address, verdict.reason, {
        isFatal: verdict.givesWay && dialled !== undefined,
      });
    }
    if (dialled !== undefined && dialled !== peer.address) {
      if (this.#membership.topology !== undefined)
        return `it is ${peer.address}, and not ${dialled}`;
      this.#membership.happen({ kind: 'found', dialled, address: peer.address });
      // A host name has led to a node with another name: the link goes to that.
      return undefined;
    }
    if (verdict.kind === 'self') {
      if (dialled !== undefined) this.#foundSelf();
      return undefined;
    }
    if (dialled === undefined && isOver(this.#membership.state, peer.address, peer.life)) {
      const reason = `another life of ${peer.address} is there, or has taken its place`;
      return this.#refuse(peer.address, peer.address, reason, { isFatal: false });
    }
    if (dialled !== undefined)
      this.#membership.happen({ kind: 'found', dialled, address: peer.address });
    this.#onState(peer);
    if (dialled === undefined) this.#peers.link(peer.address)?.dial();
    return undefined;
  }

  /** Something has happened between this node and others. */
  on(event: PeerEvent): void {
    switch (event.kind) {
      case 'up':
        return this.#onUp(event.peer);
      case 'down':
        return this.#onDown(event.dialled, event.reason, event.attempt);
      case 'state':
        return this.#onState({ ...event.peer, state: event.state });
      case 'left':
        return this.#onLeft(event.peer, event.reason);
      case 'stranger': {
        const text = 'somebody was turned away at the peer port';
        return this.#news.tell(event.remote, event.reason, text);
      }
    }
  }

  /** How long to wait before dialling again, after so many attempts in a row that failed. */
  redialDelayMs(attempt: number): number {
    const isJoining = this.#membership.topology === undefined && !this.#hasContact;
    if (isJoining) return Math.min(1000 * 2 ** (attempt - 1), JOIN_WAIT_MAX_MS);
    return Math.min(50 * 2 ** (attempt - 1), REDIAL_MAX_MS) * (0.5 + this.#options.random() / 2);
  }

  #refuse(
    where: string,
    address: string,
    reason: string,
    { isFatal }: { readonly isFatal: boolean },
  ): string {
    this.#news.tell(where, `${this.#self} and ${address}: ${reason}`, 'a node was refused');
    if (isFatal) this.#membership.fail(`${this.#self} cannot join ${address}: ${reason}`);
    return reason;
  }

  #onUp(peer: Hello): void {
    this.#meet(peer);
    this.#hasContact = true;
    // Those that wait for long to be tried again are worth a try now.
    this.#peers.redial();
    this.#membership.happen({ kind: 'linked', address: peer.address, life: peer.life });
    this.#onState(peer);
    this.#peers.link(peer.address)?.sendState(this.#membership.nodeState());
  }

  #onState({ address, life, state }: Hello): void {
    if (life === this.#membership.state.life) return;
    const { revision } = state;
    const told = readTold(state.told);
    this.#membership.happen({ kind: 'told', address, life, revision, told });
  }

  #onDown(address: string, reason: string, attempt: number): void {
    // Behind a translated address a node may not reach itself; what counts is that nobody else is there.
    const isSelf = address === this.#self && !this.#isTaken;
    this.#isTaken = false;
    if (isSelf) return this.#foundSelf();
    this.#membership.happen({ kind: 'lost', address });
    const { join, joinRetries } = this.#options;
    const isJoining = this.#membership.topology === undefined && !this.#hasContact;
    if (isJoining && join.includes(address) && attempt > joinRetries) {
      this.#membership.fail(`-join ${address} was not reached in ${attempt} attempts: ${reason}`);
    } else if (isJoining) {
      this.#log.warn({ peer: address, attempt, reason }, 'a node of -join is not reached yet');
    } else {
      this.#news.tell(address, reason, 'a peer is down');
    }
  }

  /** The own address, which `-join` has, leads to no other node. */
  #foundSelf(): void {
    this.#membership.happen({ kind: 'found', dialled: this.#self, address: this.#self });
  }

  #onLeft({ address, life }: Hello, reason: string): void {
    if (life === this.#membership.state.life) return;
    this.#news.tell(address, reason, 'a peer has left the peer port');
    // Who is not linked, and does not dial any more, wants nothing any more.
    if (this.#peers.link(address)?.status.kind !== 'up')
      this.#membership.happen({ kind: 'lost', address });
  }

  /** Notes which life of a peer is there now. */
  #meet(peer: Hello): void {
    const { address, id } = peer;
    const before = this.#lives.get(address);
    this.#lives.set(address, peer);
    if (before === undefined || before.id === id) {
      this.#log.info({ peer: address, id, life: peer.life }, 'a peer is up');
    } else {
      const facts = { peer: address, id, former: before.id };
      this.#log.warn(facts, 'a peer has restarted and came back empty');
    }
  }
}
