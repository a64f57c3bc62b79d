/**
 * Membership: what this node knows of who the members are. What happens comes in as events,
 * `handover.ts` decides, and what it decides is carried out here.
 */

import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';

import { HANDOVER_PAUSE_MAX_MS, HANDOVER_TICK_MS } from '../base/limits.ts';
import type { Cancel, Timers } from '../base/timers.ts';
import type { Link } from '../peer/link.ts';
import type { NodeState } from '../peer/messages.ts';
import type { Peers } from '../peer/peers.ts';
import type { NodeRef } from '../record/reply.ts';
import { knownAddresses, missingAddresses } from './forming.ts';
import {
  handle,
  targetsOf,
  tell,
  wantedOf,
  type HandoverEffect,
  type HandoverEvent,
} from './handover.ts';
import type { Migration } from './migration.ts';
import type { Ending } from './overview.ts';
import type { Router } from './router.ts';
import { Standstill } from './standstill.ts';
import { livePart, startHandover, type Handover } from './state.ts';
import { coordinatorOf, type Plan, type TopologyFacts } from './told.ts';
import { Topology } from './topology.ts';
import type { Watching } from './watching.ts';

export interface MembershipOptions {
  readonly self: NodeRef;
  /** A UUID that is new whenever the node starts, which `self.id` need not be. */
  readonly life: string;
  readonly partitions: number;
  /** The addresses of `-join`; with none the node is a cluster of one. */
  readonly join: readonly string[];
  /** Addresses that are dialled, too, and not waited for. */
  readonly hints?: readonly string[];
  readonly timers: Timers;
  readonly log: Logger;
  /** Told of each topology that this node goes by. */
  readonly onAdopt?: ((topology: TopologyFacts) => void) | undefined;
  /**
   * Gives what is here of partitions that are others' to those, before it is dropped: where a cluster
   * forms of nodes that have records.
   */
  readonly giveOthers?: ((topology: Topology) => Promise<void>) | undefined;
  /** Told once when this node, which was a member, is none any more: it has left, or was put out. */
  readonly onGone: (reason: string | undefined) => void;
}

/** What follows the members, and is told of each change. */
export interface Followers {
  readonly peers: Peers;
  readonly migration: Migration;
  readonly router: Router;
  readonly watching: Watching;
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #followers: Followers;
  readonly #log: Logger;
  readonly #self: string;
  readonly #lookers = new Set<() => void>();
  readonly #events: HandoverEvent[] = [];
  #isHandling = false;
  #state: Handover;
  #topology: Topology | undefined;
  #last: Ending | undefined;
  /** What was told last, and how often something was. */
  #told = '';
  #revision = 0;
  #lastLine = '';
  #failures = 0;
  #planAtMs = 0;
  readonly #standstill = new Standstill();
  #stopTicking: Cancel = () => {};
  #onFormed = (): void => {};
  #onFailed = (_error: Error): void => {};

  constructor(options: MembershipOptions, followers: Followers) {
    const { self, life, join, hints, log } = options;
    this.#options = options;
    this.#followers = followers;
    this.#log = log;
    this.#self = self.addr;
    this.#state = startHandover(self.addr, life, join, hints);
  }

  /** What this node knows now. */
  get state(): Handover {
    return this.#state;
  }

  /** What this node goes by; undefined while the cluster is forming. */
  get topology(): Topology | undefined {
    return this.#topology;
  }

  /** How the last handover ended. */
  get last(): Ending | undefined {
    return this.#last;
  }

  /**
   * Starts to talk to the others; resolves when this node is a member.
   *
   * @throws Error that says why it cannot become one.
   */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onFormed = resolve;
      this.#onFailed = reject;
      this.#followers.peers.start();
      this.#stopTicking = this.#options.timers.every(HANDOVER_TICK_MS, () => this.#tick());
      this.#advance();
    });
  }

  /** Looks no more for what time brings. */
  stop(): void {
    this.#stopTicking();
  }

  /** Gives up, with a reason, if this node is no member yet. */
  fail(reason: string): void {
    if (this.#topology === undefined) this.#onFailed(new Error(reason));
  }

  /** Has `look` called whenever something may have changed, until that is called off. */
  onChange(look: () => void): Cancel {
    this.#lookers.add(look);
    return () => void this.#lookers.delete(look);
  }

  /** What the peers are told. */
  nodeState(): NodeState {
    return { revision: this.#revision, told: tell(this.#state) };
  }

  /** Whether this node has all that is its own by a topology, and still has it. */
  holds(topology: Topology): boolean {
    return this.#topology === topology && this.#state.awaiting.length === 0;
  }

  /** Something has happened: decides what follows, and does it. */
  happen(event: HandoverEvent): void {
    this.#events.push(event);
    this.#advance();
  }

  #advance(): void {
    // What is done may let more happen, which then comes after it.
    if (this.#isHandling) return;
    this.#isHandling = true;
    try {
      for (;;) {
        const event = this.#events.shift();
        if (event !== undefined) this.#handle(event);
        else if (!this.#plan()) break;
      }
    } finally {
      this.#isHandling = false;
    }
    this.#followers.peers.linkTo(targetsOf(this.#state));
    this.#publish();
    for (const look of this.#lookers) look();
  }

  #handle(event: HandoverEvent): void {
    const before = this.#state;
    const { state, effects } = handle(before, event);
    this.#state = state;
    const isNew = livePart(state.part) !== null && state.part?.plan !== before.part?.plan;
    if (isNew && !effects.some(({ kind }) => kind === 'abort')) {
      this.#logPlan('a handover was agreed to');
      this.#followers.migration.prepare(state.part!.plan);
    }
    for (const effect of effects) this.#carryOut(effect);
  }

  /** Plans what is wanted, if it is for this node to plan; tells whether it did. */
  #plan(): boolean {
    const { topology } = this.#state;
    const isWanted = topology === null || wantedOf(this.#state) !== undefined;
    if (!isWanted || this.#options.timers.nowMs() < this.#planAtMs) return false;
    const before = this.#state;
    this.#handle({ kind: 'plan', clusterId: topology?.clusterId ?? randomUUID() });
    return this.#state !== before;
  }

  #carryOut(effect: HandoverEffect): void {
    switch (effect.kind) {
      case 'copy':
        void this.#followers.migration.copy(effect.plan);
        return;
      case 'abort': {
        const { kind, who } = effect.plan;
        this.#log.warn({ kind, who, reason: effect.reason }, 'a handover was given up');
        this.#followers.migration.abort(effect.plan, effect.reason);
        this.#last = { plan: effect.plan, outcome: 'given up', reason: effect.reason };
        const pauseMs = Math.min(HANDOVER_TICK_MS * 2 ** this.#failures++, HANDOVER_PAUSE_MAX_MS);
        this.#planAtMs = this.#options.timers.nowMs() + pauseMs;
        return;
      }
      case 'adopt':
        if (effect.plan !== null) {
          this.#last = { plan: effect.plan, outcome: 'done', reason: '' };
        }
        return this.#adopt(effect.topology, effect.plan);
      case 'arrived':
        return this.#route();
      case 'expelled':
        return this.#go(`${effect.by} says: ${effect.reason}`);
      case 'left':
        return this.#go(undefined);
    }
  }

  #adopt(facts: TopologyFacts, plan: Plan | null): void {
    this.#failures = 0;
    const former = this.#topology;
    this.#topology = new Topology(facts, this.#options.partitions);
    const { clusterId, epoch, members, by } = facts;
    const isMember = members.includes(this.#self);
    const text = isMember ? 'this node is a member' : 'this node is no member any more';
    this.#log.info({ clusterId, epoch, members, by }, text);
    this.#followers.peers.linkTo(targetsOf(this.#state));
    this.#route();
    if (plan?.kind === 'forget') {
      const loss = { who: plan.who, partitions: former?.shareOf(plan.who[0]!) };
      this.#log.warn(loss, 'a member was forgotten: its partitions start empty');
    }
    this.#options.onAdopt?.(facts);
    if (plan === null) this.#followers.migration.dropOthers(this.#topology);
    else if (plan.kind === 'form') void this.#giveOthers(this.#topology);
    else this.#followers.migration.commit(plan);
    for (const giver of this.#state.awaiting) {
      if (!this.#followers.migration.isReceiving(giver))
        this.#events.push({ kind: 'broken', address: giver });
    }
    if (isMember) this.#onFormed();
  }

  async #giveOthers(topology: Topology): Promise<void> {
    try {
      await this.#options.giveOthers?.(topology);
      if (this.#topology === topology) this.#followers.migration.dropOthers(topology);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.error({ reason }, 'records of other owners stay here, where nobody finds them');
    }
  }

  /** Serves by what is known now. */
  #route(): void {
    const topology = this.#topology;
    if (topology === undefined) return;
    const remotes = topology.members.map((address) =>
      address === this.#self ? null : this.#followers.peers.link(address)!,
    );
    this.#followers.router.adopt({ topology, remotes, awaiting: new Set(this.#state.awaiting) });
    this.#followers.watching.adopt(this.#othersOf(topology));
  }

  /** The links to the other members, by their addresses. */
  #othersOf({ members }: Topology): Map<string, Link> {
    const others = members.filter((address) => address !== this.#self);
    return new Map(others.map((address) => [address, this.#followers.peers.link(address)!]));
  }

  /** This node is no member any more. */
  #go(reason: string | undefined): void {
    this.#followers.router.close();
    if (reason === undefined) this.#log.info('all is handed over');
    else this.#log.error({ reason }, 'this node was put out of its cluster');
    this.#options.onGone(reason);
  }

  /** Looks for what is to be planned, and for what does not go on. */
  #tick(): void {
    if (livePart(this.#state.part) === null) this.#advance();
    else this.happen({ kind: 'progressed', progress: this.#followers.migration.progress });
    // Who has lost its own link to this node has forgotten what this one told, and cannot ask.
    if (this.#topology === undefined) this.#followers.peers.tell(this.nodeState());
    const reason = this.#standstill.look(this.#state, this.#options.timers.nowMs());
    if (reason !== undefined) this.happen({ kind: 'failed', reason });
  }

  /** Tells the peers what this node knows, if that has changed. */
  #publish(): void {
    const told = tell(this.#state);
    const text = JSON.stringify(told);
    if (text !== this.#told) {
      this.#told = text;
      this.#revision++;
      this.#followers.peers.tell({ revision: this.#revision, told });
    }
    if (this.#topology === undefined) this.#logForming(told.joining);
  }

  #logForming(joining: string): void {
    const known = knownAddresses(this.#state);
    const missing = missingAddresses(this.#state);
    const line = JSON.stringify([known, missing, joining]);
    if (line === this.#lastLine) return;
    this.#lastLine = line;
    if (joining === '') this.#log.info({ known, missing }, 'the cluster is forming');
    else this.#log.info({ clusterId: joining }, 'this node waits to be let in');
  }

  #logPlan(text: string): void {
    const { plan } = this.#state.part!;
    const { kind, who, next } = plan;
    if (kind === 'form') return;
    this.#log.info({ kind, who, epoch: next.epoch, by: coordinatorOf(plan) }, text);
  }
}
