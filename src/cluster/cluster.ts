/** The cluster as one node sees it: who the members are, the links to them, and the way to each key. */

import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';

import { failure, type Failure } from '../base/errors.ts';
import { JOIN_WAIT_MAX_MS, MIGRATION_BYTES_PER_SECOND, REDIAL_MAX_MS } from '../base/limits.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { Timers } from '../base/timers.ts';
import { isSameFence, type Fence } from '../peer/fence.ts';
import type { NotMine, PeerEvent, PeerHost } from '../peer/host.ts';
import {
  judge,
  PROTOCOL,
  type Hello,
  type NodeState,
  type TopologyFacts,
} from '../peer/messages.ts';
import { Peers } from '../peer/peers.ts';
import type { Transport } from '../peer/transport.ts';
import type { Engine, Listing, ListQuery, Member } from '../record/engine.ts';
import type { KeyQuery, Lister, ListPiece, Place, Scanner } from '../record/lister.ts';
import type { KeptReply, NodeRef, Reply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import type { Watch, WatchQuery } from '../record/watch.ts';
import { Forming } from './forming.ts';
import { listMembers, type MemberLister } from './listing.ts';
import { News } from './news.ts';
import { NOT_READY, Router, type LocalEngine } from './router.ts';
import { Topology } from './topology.ts';
import { Watching, type WatchedStore } from './watching.ts';

export interface ClusterOptions {
  readonly self: NodeRef;
  readonly partitions: number;
  /** The addresses of `-join`; with none the node is a cluster of one. */
  readonly join: readonly string[];
  /** How often an address of `-join` is tried again before the first was reached. */
  readonly joinRetries: number;
  /** When the process started, in microseconds. */
  readonly startedAt: number;
  readonly scheduler: Scheduler;
  /** The store of this node. */
  readonly store: LocalEngine & Lister & Scanner & WatchedStore;
  /** Listening already. */
  readonly transport: Transport;
  readonly timers: Timers;
  /** From 0 to less than 1. */
  readonly random: () => number;
  readonly log: Logger;
}

/** A member as `GET /v1/nodes` shows it. */
interface MemberView extends Member {
  readonly client: string | null;
  readonly state: 'self' | 'up' | 'down';
  /** How many partitions it owns. */
  readonly partitions: number;
  readonly epoch: number;
}

export class Cluster implements Engine, PeerHost {
  readonly scheduler: Scheduler;
  readonly #options: ClusterOptions;
  readonly #log: Logger;
  readonly #news: News;
  readonly #self: string;
  readonly #router: Router;
  readonly #peers: Peers;
  /** The last life that was seen of each peer. */
  readonly #lives = new Map<string, Hello>();
  readonly #forming: Forming;
  readonly #watching: Watching;
  #client = '';
  #topology: Topology | undefined;
  #lastState = '';
  /** Whether a node of `-join` has been reached. */
  #hasContact = false;
  #onFormed = (): void => {};
  #onFailed = (_error: Error): void => {};

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#news = new News(options.log, () => options.timers.nowMs());
    this.#self = options.self.addr;
    this.scheduler = options.scheduler;
    this.#router = new Router(options.store, (answer) => this.#onNotMine(answer));
    const { transport, timers } = options;
    this.#peers = new Peers({
      host: this,
      transport,
      timers,
      streamBytesPerSecond: MIGRATION_BYTES_PER_SECOND,
    });
    this.#forming = new Forming(this.#self, options.join);
    this.#watching = new Watching(options);
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
      this.#advance();
    });
  }

  /** Closes all links. */
  close(): void {
    this.#peers.close();
  }

  serve(request: Request, isGone?: () => boolean): Reply | Promise<KeptReply> {
    return this.#router.serve(request, isGone);
  }

  serveHere(request: Request, fence: Fence): Reply | NotMine | Promise<KeptReply> {
    return this.#router.serveHere(request, fence);
  }

  scanHere(
    query: KeyQuery,
    from: Place | undefined,
    fence: Fence,
  ): Iterable<ListPiece> | NotMine | Failure {
    const topology = this.#topology;
    if (topology === undefined) return NOT_READY;
    if (!isSameFence(topology, fence)) return { status: 'not-mine', topology: topology.facts() };
    return this.#options.store.scan(query, from);
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
    if (this.#topology === undefined) return [NOT_READY];
    const { members } = this.#topology;
    const listers = new Map<string, MemberLister>();
    for (const address of query.scope === 'node' ? [this.#self] : members) {
      listers.set(
        address,
        address === this.#self ? this.#options.store : this.#peers.link(address)!,
      );
    }
    return listMembers(listers, query, this.#topology);
  }

  watch(query: WatchQuery, onNews: () => void): Watch | Failure {
    if (this.#topology === undefined) return NOT_READY;
    if (query.scope === 'cluster' && this.#topology.members.length > 1) {
      return failure('NOT_SUPPORTED', 'only one node can be watched at a time');
    }
    return this.#watching.watch(query, onNews);
  }

  hello(): Hello {
    const { self, partitions, startedAt } = this.#options;
    const state = this.#state();
    const client = this.#client;
    return {
      protocol: PROTOCOL,
      id: self.id,
      address: self.addr,
      client,
      partitions,
      startedAt,
      state,
    };
  }

  admit(peer: Hello, dialled: string | undefined): string | undefined {
    const refusal = this.#judge(dialled ?? peer.address, peer);
    if (refusal !== undefined) return refusal;
    if (dialled !== undefined) return this.#onFound(dialled, peer);
    if (peer.id === this.#options.self.id) return undefined;
    this.#onState(peer, peer.state);
    this.#peers.link(peer.address)?.dial();
    return undefined;
  }

  receive(): string {
    return 'no records move yet';
  }

  on(event: PeerEvent): void {
    switch (event.kind) {
      case 'up':
        return this.#onUp(event.dialled, event.peer);
      case 'down':
        return this.#onDown(event.dialled, event.reason, event.attempt);
      case 'state':
        return this.#onState(event.peer, event.state);
      case 'left':
        return this.#news.tell(event.peer.address, event.reason, 'a peer has left the peer port');
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

  /** At the address `dialled` there is the node `peer`. */
  #onFound(dialled: string, peer: Hello): string | undefined {
    if (this.#topology === undefined) {
      this.#forming.found(dialled, peer.address);
      // A host name has led to a node with another name: the link goes to that.
      if (peer.address !== dialled) this.#advance();
    } else if (peer.address !== dialled) {
      return `it is ${peer.address}, and not ${dialled}`;
    }
    return undefined;
  }

  #onUp(dialled: string, peer: Hello): void {
    this.#meet(peer);
    this.#hasContact = true;
    // Those that wait for long to be tried again are worth a try now.
    this.#peers.redial();
    this.#peers.link(dialled)?.sendState(this.#state());
    this.#forming.linked(peer.address, peer.id);
    this.#onState(peer, peer.state);
  }

  #onState({ address, id }: Hello, state: NodeState): void {
    if (state.topology !== null) this.#consider(state.topology);
    if (this.#topology !== undefined) return;
    this.#forming.reported(address, id, state);
    this.#advance();
  }

  #onDown(address: string, reason: string, attempt: number): void {
    this.#forming.lost(address);
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

  /** Why a node is refused, undefined if it is not. What is refused may end this node instead. */
  #judge(address: string, peer: Hello): string | undefined {
    const verdict = judge(this.hello(), peer);
    if (verdict.kind !== 'refused') return undefined;
    const { reason, givesWay } = verdict;
    this.#news.tell(address, `${this.#self} and ${peer.address}: ${reason}`, 'a node was refused');
    if (givesWay) this.#fail(`${this.#self} cannot join ${peer.address}: ${reason}`);
    return reason;
  }

  /** Notes which life of a peer is there now. */
  #meet(peer: Hello): void {
    const { address, id } = peer;
    const before = this.#lives.get(address);
    this.#lives.set(address, peer);
    if (before === undefined || before.id === id) {
      this.#log.info({ peer: address, id }, 'a peer is up');
    } else {
      const facts = { peer: address, id, former: before.id };
      this.#log.warn(facts, 'a peer has restarted and came back empty');
    }
  }

  /** Goes by the topology that a peer goes by, if it is newer. */
  #consider(facts: TopologyFacts): void {
    const current = this.#topology;
    const isNewer =
      current === undefined ||
      (current.clusterId === facts.clusterId && current.epoch < facts.epoch);
    if (isNewer && facts.members.includes(this.#self)) this.#adopt(facts);
  }

  #onNotMine(answer: NotMine): void {
    this.#consider(answer.topology);
  }

  /** Forming, one step: dials who has been heard of, tells what is known, declares what is certain. */
  #advance(): void {
    if (this.#topology !== undefined) return;
    this.#peers.linkTo(this.#forming.targets());
    const members = this.#forming.declarable();
    if (members !== undefined) {
      this.#adopt({ clusterId: randomUUID(), epoch: 1, members });
    } else {
      this.#publish();
    }
  }

  #adopt(facts: TopologyFacts): void {
    const topology = new Topology(facts, this.#options.partitions);
    this.#topology = topology;
    this.#peers.linkTo(topology.members.filter((address) => address !== this.#self));
    const remotes = topology.members.map((address) => this.#peers.link(address) ?? null);
    this.#router.adopt({ topology, remotes });
    this.#log.info(facts, 'this node is a member');
    this.#publish();
    this.#onFormed();
  }

  #state(): NodeState {
    const topology = this.#topology;
    if (topology === undefined) return this.#forming.state();
    const { revision } = this.#forming.state();
    return { revision, known: topology.members, hasReachedAll: true, topology: topology.facts() };
  }

  /** Tells the peers what this node knows, if that has changed. */
  #publish(): void {
    const state = this.#state();
    const text = JSON.stringify([state, this.#forming.missing()]);
    if (text === this.#lastState) return;
    this.#lastState = text;
    this.#peers.tell(state);
    if (this.#topology === undefined) {
      const facts = { known: state.known, missing: this.#forming.missing() };
      this.#log.info(facts, 'the cluster is forming');
    }
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
