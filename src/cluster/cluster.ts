/**
 * The cluster as one node sees it. What happens comes in as events, `handover.ts` decides, and what it
 * decides is carried out here.
 */

import { createHash, randomUUID } from 'node:crypto';
import type { Logger } from 'pino';

import type { Clock } from '../base/clock.ts';
import { failure, type Failure } from '../base/errors.ts';
import {
  HANDOVER_PAUSE_MAX_MS,
  HANDOVER_STUCK_MS,
  HANDOVER_TICK_MS,
  JOIN_WAIT_MAX_MS,
  REDIAL_MAX_MS,
} from '../base/limits.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { Cancel, Timers } from '../base/timers.ts';
import { isSameFence, type Fence } from '../peer/fence.ts';
import type { NotMine, PeerEvent, PeerHost, StreamUser } from '../peer/host.ts';
import { PROTOCOL, type Hello } from '../peer/messages.ts';
import type { Link, LinkStats } from '../peer/link.ts';
import { Peers } from '../peer/peers.ts';
import type { Transport } from '../peer/transport.ts';
import type { WatchPageQuery } from '../peer/watch.ts';
import type { Engine, Listing, ListQuery, Member, TopologyControl } from '../record/engine.ts';
import type { KeyQuery, Lister, ListPiece, Place, Scanner } from '../record/lister.ts';
import type { KeptReply, NodeRef, Reply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import type { Watch, WatchPage, WatchQuery } from '../record/watch.ts';
import { judge } from './admission.ts';
import { knownAddresses, missingAddresses } from './forming.ts';
import {
  handle,
  targetsOf,
  tell,
  wantedOf,
  type HandoverEffect,
  type HandoverEvent,
} from './handover.ts';
import { listMembers, type MemberLister } from './listing.ts';
import { Migration, type MigratingStore } from './migration.ts';
import { News } from './news.ts';
import { overviewOf, type Ending } from './overview.ts';
import { NOT_READY, Router, type LocalEngine } from './router.ts';
import { isOver, livePart, startHandover, type Handover } from './state.ts';
import { coordinatorOf, type Plan, type TopologyFacts } from './told.ts';
import { readTold } from './told-reader.ts';
import { Topology } from './topology.ts';
import { Watching, type WatchedStore } from './watching.ts';

export interface ClusterOptions {
  readonly self: NodeRef;
  /** A UUID that is new whenever the node starts, which `self.id` need not be. */
  readonly life: string;
  readonly partitions: number;
  /** The addresses of `-join`; with none the node is a cluster of one. */
  readonly join: readonly string[];
  /** How often an address of `-join` is tried again before the first was reached. */
  readonly joinRetries: number;
  /** What records that move may take. */
  readonly migrationBytesPerSecond: number;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** The store of this node. */
  readonly store: LocalEngine & Lister & Scanner & MigratingStore & WatchedStore;
  /** Listening already. */
  readonly transport: Transport;
  readonly timers: Timers;
  /** From 0 to less than 1. */
  readonly random: () => number;
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

/** A member as `GET /v1/nodes` shows it. */
interface MemberView extends Member {
  readonly client: string | null;
  readonly state: 'self' | 'up' | 'down';
  /** How many partitions it owns. */
  readonly partitions: number;
  readonly epoch: number;
}

/** A change of members, as far as this node has a part in it. */
export interface ChangeStats {
  readonly isUnderWay: boolean;
  /** Bytes of the records that this node gives, and those of them that are copied. */
  readonly bytes: number;
  readonly bytesDone: number;
}

export class Cluster implements Engine, PeerHost {
  readonly scheduler: Scheduler;
  readonly #options: ClusterOptions;
  readonly #log: Logger;
  readonly #news: News;
  readonly #self: string;
  readonly #router: Router;
  readonly #peers: Peers;
  readonly #migration: Migration;
  readonly #watching: Watching;
  readonly #startedAt: number;
  /** The last life that was seen of each peer. */
  readonly #lives = new Map<string, Hello>();
  /** Who and what is a member, for operators. */
  readonly topology: TopologyControl = {
    view: (hasOwners) => this.#overview(hasOwners),
    revision: () => this.#tag(),
    onChange: (look) => {
      this.#watchers.add(look);
      return () => void this.#watchers.delete(look);
    },
    remove: (member, isForgotten) => this.#remove(member, isForgotten),
  };
  readonly #watchers = new Set<() => void>();
  #last: Ending | undefined;
  #state: Handover;
  #topology: Topology | undefined;
  #client = '';
  /** What was told last, and how often something was. */
  #told = '';
  #revision = 0;
  #lastLine = '';
  readonly #events: HandoverEvent[] = [];
  #isHandling = false;
  /** Whether a node of `-join` has been reached. */
  #hasContact = false;
  #failures = 0;
  #planAtMs = 0;
  /** Since when nothing has gone on in a handover, and what it was then. */
  #standstill = { text: '', sinceMs: 0 };
  #stopTicking: Cancel = () => {};
  #onFormed = (): void => {};
  #onFailed = (_error: Error): void => {};

  constructor(options: ClusterOptions) {
    const { self, join, store, transport, timers, scheduler, clock, partitions } = options;
    this.#options = options;
    this.#log = options.log;
    this.#news = new News(options.log, () => timers.nowMs());
    this.#self = self.addr;
    this.#startedAt = clock();
    this.scheduler = scheduler;
    this.#state = startHandover(self.addr, options.life, join);
    this.#peers = new Peers({
      host: this,
      transport,
      timers,
      streamBytesPerSecond: options.migrationBytesPerSecond,
    });
    this.#migration = new Migration({
      self: self.addr,
      partitions,
      store,
      scheduler,
      timers,
      clock,
      openStream: (target, onClose) => this.#peers.openStream(target, onClose),
      happen: (event) => this.#happen(event),
    });
    this.#watching = new Watching(options);
    this.#router = new Router({ local: store, moves: this.#migration, timers });
  }

  /**
   * Starts to talk to the others; resolves when this node is a member. `client` is the address that
   * clients use.
   *
   * @throws Error that says why it cannot become one.
   */
  start(client: string): Promise<void> {
    this.#client = client;
    return new Promise((resolve, reject) => {
      this.#onFormed = resolve;
      this.#onFailed = reject;
      this.#peers.start();
      this.#stopTicking = this.#options.timers.every(HANDOVER_TICK_MS, () => this.#tick());
      this.#advance();
    });
  }

  /** Begins to hand over all that this node has to the other members. */
  leave(): void {
    const { address, life } = this.#state;
    this.#happen({ kind: 'wish', wish: { kind: 'leave', who: address, life } });
  }

  /** Answers what peers have sent, and lets them send nothing more; in bounded time. */
  finish(): Promise<void> {
    return this.#peers.finish();
  }

  /** Closes all links. */
  close(): void {
    this.#watching.close();
    this.#stopTicking();
    this.#peers.close();
  }

  serve(request: Request, isGone?: () => boolean): Reply | Promise<KeptReply> {
    return this.#router.serve(request, isGone);
  }

  serveHere(request: Request, fence: Fence): Reply | NotMine | Promise<KeptReply | NotMine> {
    return this.#router.serveHere(request, fence);
  }

  scanHere(
    query: KeyQuery,
    from: Place | undefined,
    fence: Fence,
  ): Iterable<ListPiece> | NotMine | Failure {
    const topology = this.#topology;
    if (topology === undefined) return NOT_READY;
    if (!isSameFence(topology, fence)) return { status: 'not-mine' };
    if (!this.#holds(topology)) return KEYS_MOVE;
    return this.#options.store.scan({ ...query, owns: (one) => this.#router.owns(one) }, from);
  }

  /** Whether the members are changing, and how far this node is with copying what it gives. */
  changeStats(): ChangeStats {
    const isUnderWay = livePart(this.#state.part) !== null;
    const { bytes = 0, bytesDone = 0 } = (isUnderWay && this.#migration.progress) || {};
    return { isUnderWay, bytes, bytesDone };
  }

  /** What each link to a peer has done and has to do. */
  linkStats(): LinkStats[] {
    return this.#peers.stats();
  }

  /** How many watch the changes of this node: clients, and other members for theirs. */
  watchers(): number {
    return this.#watching.count;
  }

  /** The members, sorted by address; a failure while the cluster is forming. */
  members(): MemberView[] | Failure {
    const topology = this.#topology;
    if (topology === undefined) return NOT_READY;
    const { members, shares, epoch } = topology;
    return members.map((address, at) => this.#view(address, shares[at]!, epoch));
  }

  /** The keys of this node, or of all members one after the other. */
  list(query: ListQuery): Listing {
    const topology = this.#topology;
    if (topology === undefined) return [NOT_READY];
    const listers = new Map<string, MemberLister>();
    for (const address of query.scope === 'node' ? [this.#self] : topology.members) {
      const own = {
        id: this.#options.self.id,
        list: (keys: KeyQuery) => this.#list(keys),
        obstacle: () => (this.#holds(topology) ? undefined : KEYS_MOVE),
      };
      listers.set(address, address === this.#self ? own : this.#peers.link(address)!);
    }
    return listMembers(listers, query, topology);
  }

  watch(query: WatchQuery, onNews: () => void): Watch | Failure {
    if (this.#topology === undefined) return NOT_READY;
    return this.#watching.watch(query, onNews);
  }

  watchHere(query: WatchPageQuery): Promise<WatchPage | Failure> {
    return this.#watching.watchHere(query);
  }

  hello(): Hello {
    const { self, partitions } = this.#options;
    return {
      protocol: PROTOCOL,
      id: self.id,
      life: this.#state.life,
      address: self.addr,
      client: this.#client,
      partitions,
      startedAt: this.#startedAt,
      state: { revision: this.#revision, told: tell(this.#state) },
    };
  }

  admit(peer: Hello, dialled: string | undefined): string | undefined {
    const told = readTold(peer.state.told);
    const ours = { hello: this.hello(), told: tell(this.#state) };
    const verdict = judge(ours, { hello: peer, told });
    if (verdict.kind === 'refused') {
      return this.#refuse(dialled ?? peer.address, peer.address, verdict.reason, {
        isFatal: verdict.givesWay && dialled !== undefined,
      });
    }
    if (dialled !== undefined && dialled !== peer.address) {
      if (this.#topology !== undefined) return `it is ${peer.address}, and not ${dialled}`;
      this.#happen({ kind: 'found', dialled, address: peer.address });
      // A host name has led to a node with another name: the link goes to that.
      return undefined;
    }
    if (verdict.kind === 'self') return undefined;
    if (dialled === undefined && isOver(this.#state, peer.address, peer.life)) {
      const reason = `another life of ${peer.address} is there, or has taken its place`;
      return this.#refuse(peer.address, peer.address, reason, { isFatal: false });
    }
    if (dialled !== undefined) this.#happen({ kind: 'found', dialled, address: peer.address });
    this.#onState(peer);
    if (dialled === undefined) this.#peers.link(peer.address)?.dial();
    return undefined;
  }

  receive({ address, life }: Hello, about: string): StreamUser | string {
    return this.#migration.receive(address, life, about);
  }

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

  redialDelayMs(attempt: number): number {
    const isJoining = this.#topology === undefined && !this.#hasContact;
    if (isJoining) return Math.min(1000 * 2 ** (attempt - 1), JOIN_WAIT_MAX_MS);
    return Math.min(50 * 2 ** (attempt - 1), REDIAL_MAX_MS) * (0.5 + this.#options.random() / 2);
  }

  #overview(hasOwners: boolean): object | Failure {
    const topology = this.#topology;
    const members = this.members();
    if (topology === undefined || 'status' in members) return NOT_READY;
    const { progress } = this.#migration;
    return overviewOf(
      { state: this.#state, topology, members, progress, last: this.#last },
      hasOwners,
    );
  }

  /** Changes with what the overview shows, but for how far copies are. */
  #tag(): string {
    const text = JSON.stringify([
      this.#state.part,
      this.#last,
      this.members(),
      this.#state.complete,
    ]);
    return createHash('sha256').update(text).digest('base64url').slice(0, 16);
  }

  #remove(member: string, isForgotten: boolean): object | Failure {
    const topology = this.#topology;
    const members = this.members();
    if (topology === undefined || 'status' in members) return NOT_READY;
    const found = members.find(({ id, addr }) => id === member || addr === member);
    if (found === undefined) return failure('NODE_NOT_FOUND', `${member} is no member`);
    const { addr: who, state, partitions } = found;
    if (members.length === 1) return failure('LAST_NODE', `${who} is the only member`);
    if (isForgotten && state !== 'down') {
      return failure(
        'NODE_REACHABLE',
        `${who} can be reached: without force it hands over its keys`,
      );
    }
    if (!isForgotten && state === 'down') {
      return failure('NODE_UNREACHABLE', `${who} cannot be reached: with force it is forgotten`);
    }
    const { address, peers } = this.#state;
    const seen = who === address ? this.#state.life : (peers[who]?.life ?? '');
    const life = seen === '' ? (topology.facts.lives[who] ?? '') : seen;
    const kind = isForgotten ? 'forget' : 'leave';
    this.#happen({ kind: 'wish', wish: { kind, who, life } });
    return { kind, who, partitions };
  }

  /** Whether this node has all that is its own by a topology, and still has it. */
  #holds(topology: Topology): boolean {
    return this.#topology === topology && this.#state.awaiting.length === 0;
  }

  #list(query: KeyQuery): ReturnType<Lister['list']> {
    return this.#options.store.list({ ...query, owns: (one) => this.#router.owns(one) });
  }

  #refuse(
    where: string,
    address: string,
    reason: string,
    { isFatal }: { readonly isFatal: boolean },
  ): string {
    this.#news.tell(where, `${this.#self} and ${address}: ${reason}`, 'a node was refused');
    if (isFatal) this.#fail(`${this.#self} cannot join ${address}: ${reason}`);
    return reason;
  }

  #onUp(peer: Hello): void {
    this.#meet(peer);
    this.#hasContact = true;
    // Those that wait for long to be tried again are worth a try now.
    this.#peers.redial();
    this.#happen({ kind: 'linked', address: peer.address, life: peer.life });
    this.#onState(peer);
    this.#peers.link(peer.address)?.sendState(this.hello().state);
  }

  #onState({ address, life, state }: Hello): void {
    if (life === this.#state.life) return;
    const { revision } = state;
    this.#happen({ kind: 'told', address, life, revision, told: readTold(state.told) });
  }

  #onDown(address: string, reason: string, attempt: number): void {
    this.#happen({ kind: 'lost', address });
    const { join, joinRetries } = this.#options;
    const isJoining = this.#topology === undefined && !this.#hasContact;
    if (isJoining && join.includes(address) && attempt > joinRetries) {
      this.#fail(`-join ${address} was not reached in ${attempt} attempts: ${reason}`);
    } else if (isJoining) {
      this.#log.warn({ peer: address, attempt, reason }, 'a node of -join is not reached yet');
    } else {
      this.#news.tell(address, reason, 'a peer is down');
    }
  }

  #onLeft({ address }: Hello, reason: string): void {
    this.#news.tell(address, reason, 'a peer has left the peer port');
    // Who is not linked, and does not dial any more, wants nothing any more.
    if (this.#peers.link(address)?.status.kind !== 'up') this.#happen({ kind: 'lost', address });
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

  /** Something has happened: decides what follows, and does it. */
  #happen(event: HandoverEvent): void {
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
    this.#peers.linkTo(targetsOf(this.#state));
    this.#publish();
    for (const look of this.#watchers) look();
  }

  #handle(event: HandoverEvent): void {
    const before = this.#state;
    const { state, effects } = handle(before, event);
    this.#state = state;
    const isNew = livePart(state.part) !== null && state.part?.plan !== before.part?.plan;
    if (isNew && !effects.some(({ kind }) => kind === 'abort')) {
      this.#logPlan('a handover was agreed to');
      this.#migration.prepare(state.part!.plan);
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
        void this.#migration.copy(effect.plan);
        return;
      case 'abort': {
        const { kind, who } = effect.plan;
        this.#log.warn({ kind, who, reason: effect.reason }, 'a handover was given up');
        this.#migration.abort(effect.plan, effect.reason);
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
    this.#peers.linkTo(targetsOf(this.#state));
    this.#route();
    if (plan?.kind === 'forget') {
      const loss = { who: plan.who, partitions: former?.shareOf(plan.who[0]!) };
      this.#log.warn(loss, 'a member was forgotten: its partitions start empty');
    }
    this.#options.onAdopt?.(facts);
    if (plan === null) this.#migration.dropOthers(this.#topology);
    else if (plan.kind === 'form') void this.#giveOthers(this.#topology);
    else this.#migration.commit(plan);
    for (const giver of this.#state.awaiting) {
      if (!this.#migration.isReceiving(giver))
        this.#events.push({ kind: 'broken', address: giver });
    }
    if (isMember) this.#onFormed();
  }

  async #giveOthers(topology: Topology): Promise<void> {
    try {
      await this.#options.giveOthers?.(topology);
      if (this.#topology === topology) this.#migration.dropOthers(topology);
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
      address === this.#self ? null : this.#peers.link(address)!,
    );
    this.#router.adopt({ topology, remotes, awaiting: new Set(this.#state.awaiting) });
    this.#watching.adopt(this.#othersOf(topology));
  }

  /** The links to the other members, by their addresses. */
  #othersOf({ members }: Topology): Map<string, Link> {
    const others = members.filter((address) => address !== this.#self);
    return new Map(others.map((address) => [address, this.#peers.link(address)!]));
  }

  /** This node is no member any more. */
  #go(reason: string | undefined): void {
    this.#router.close();
    if (reason === undefined) this.#log.info('all is handed over');
    else this.#log.error({ reason }, 'this node was put out of its cluster');
    this.#options.onGone(reason);
  }

  /** Looks for what is to be planned, and for what does not go on. */
  #tick(): void {
    this.#advance();
    const nowMs = this.#options.timers.nowMs();
    const part = livePart(this.#state.part);
    const text = part === null ? '' : JSON.stringify([part.phase, this.#blockers()]);
    if (text !== this.#standstill.text) this.#standstill = { text, sinceMs: nowMs };
    if (part === null || nowMs - this.#standstill.sinceMs < HANDOVER_STUCK_MS) return;
    // Copies may take their time; an agreement, or a party that is out of reach, may not.
    const blockers = this.#blockers();
    if (part.phase !== 'agreed' && blockers.length === 0) return;
    const reason = `it has waited too long for ${blockers.join(', ') || 'the others'}`;
    this.#happen({ kind: 'failed', reason });
  }

  /** The parties of a handover that are out of reach. */
  #blockers(): string[] {
    const part = livePart(this.#state.part);
    const parties = Object.keys(part?.plan.next.lives ?? {});
    return parties.filter(
      (party) => party !== this.#self && this.#state.peers[party]?.isUp !== true,
    );
  }

  /** Tells the peers what this node knows, if that has changed. */
  #publish(): void {
    const told = tell(this.#state);
    const text = JSON.stringify(told);
    if (text !== this.#told) {
      this.#told = text;
      this.#revision++;
      this.#peers.tell({ revision: this.#revision, told });
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

  #fail(reason: string): void {
    if (this.#topology === undefined) this.#onFailed(new Error(reason));
  }

  #view(addr: string, partitions: number, epoch: number): MemberView {
    if (addr === this.#self) {
      const { id } = this.#options.self;
      return { id, addr, client: this.#client, state: 'self', partitions, epoch };
    }
    const peer = this.#lives.get(addr);
    const state = this.#peers.link(addr)?.status.kind === 'up' ? 'up' : 'down';
    return { id: peer?.id ?? null, addr, client: peer?.client ?? null, state, partitions, epoch };
  }
}

const KEYS_MOVE = failure('OWNER_UNAVAILABLE', 'keys move from one member to another just now');
