/** The cluster as one node sees it: who the members are, the links to them, and the way to each key. */

import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';

import { JOIN_WAIT_MAX_MS, REDIAL_MAX_MS } from '../base/limits.ts';
import { Link, type LinkOwner, type NotMine } from '../peer/link.ts';
import {
  judge,
  PROTOCOL,
  type Hello,
  type NodeState,
  type TopologyFacts,
} from '../peer/messages.ts';
import { PeerServer, type PeerService } from '../peer/session.ts';
import type { Transport } from '../peer/transport.ts';
import type { Engine, Listing, ListQuery, Member } from '../record/engine.ts';
import type { Lister } from '../record/lister.ts';
import type { KeptReply, NodeRef, Reply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import { Forming } from './forming.ts';
import { listMembers, type MemberLister } from './listing.ts';
import { News } from './news.ts';
import { NOT_READY, Router, type LocalEngine } from './router.ts';
import { Topology } from './topology.ts';

export interface ClusterOptions {
  readonly self: NodeRef;
  readonly partitions: number;
  /** The addresses of `-join`; with none the node is a cluster of one. */
  readonly join: readonly string[];
  /** How often an address of `-join` is tried again before the first was reached. */
  readonly joinRetries: number;
  /** When the process started, in microseconds. */
  readonly startedAt: number;
  /** The store of this node. */
  readonly store: LocalEngine & Lister;
  /** Listening already. */
  readonly transport: Transport;
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

export class Cluster implements Engine, LinkOwner, PeerService {
  readonly lister: Lister;
  readonly #options: ClusterOptions;
  readonly #log: Logger;
  readonly #news: News;
  readonly #self: string;
  readonly #router: Router;
  readonly #server: PeerServer;
  readonly #links = new Map<string, Link>();
  /** The last life that was seen of each peer. */
  readonly #peers = new Map<string, Hello>();
  readonly #forming: Forming;
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
    this.#news = new News(options.log);
    this.#self = options.self.addr;
    this.lister = options.store;
    this.#router = new Router(options.store, (answer) => this.#onNotMine(answer));
    this.#server = new PeerServer(options.transport, this);
    this.#forming = new Forming(this.#self, options.join);
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
      this.#server.start();
      this.#advance();
    });
  }

  /** Closes all links. */
  close(): void {
    this.#server.close();
    for (const link of this.#links.values()) link.close();
  }

  serve(request: Request): Reply | Promise<KeptReply> {
    return this.#router.serve(request);
  }

  serveHere(request: Request): Reply | NotMine {
    return this.#router.serveHere(request);
  }

  /** The members, sorted by address; this node alone while the cluster is forming. */
  members(): MemberView[] {
    const topology = this.#topology;
    if (topology === undefined) return [this.#view(this.#self, 0, 0)];
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
        address === this.#self ? this.#options.store : this.#links.get(address)!,
      );
    }
    return listMembers(listers, query);
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

  welcome(link: Link, peer: Hello): string | undefined {
    const refusal = this.#judge(link.address, peer);
    if (refusal !== undefined) return refusal;
    if (this.#topology === undefined) {
      this.#forming.found(link.address, peer.address);
      // A host name has led to a node with another name: the link goes to that.
      if (peer.address !== link.address) this.#advance();
    } else if (peer.address !== link.address) {
      return `it is ${peer.address}, and not ${link.address}`;
    }
    return undefined;
  }

  admit(peer: Hello): string | undefined {
    const refusal = this.#judge(peer.address, peer);
    if (refusal !== undefined || peer.id === this.#options.self.id) return refusal;
    this.onPeerState(peer, peer.state);
    this.#links.get(peer.address)?.dial();
    return undefined;
  }

  onUp(link: Link, peer: Hello): void {
    this.#meet(peer);
    this.#hasContact = true;
    // Those that wait for long to be tried again are worth a try now.
    for (const other of this.#links.values()) other.dial();
    link.sendState(this.#state());
    this.#forming.linked(peer.address, peer.id);
    this.onPeerState(peer, peer.state);
  }

  onPeerState({ address, id }: Hello, state: NodeState): void {
    if (state.topology !== null) this.#consider(state.topology);
    if (this.#topology !== undefined) return;
    this.#forming.reported(address, id, state);
    this.#advance();
  }

  onDown(link: Link, reason: string, attempt: number): void {
    const { address } = link;
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

  onStranger(remote: string, reason: string): void {
    this.#news.tell(remote, reason, 'somebody was turned away at the peer port');
  }

  onPeerGone(peer: string, reason: string): void {
    this.#news.tell(peer, reason, 'a peer has left the peer port');
  }

  redialDelayMs(attempt: number): number {
    const isJoining = this.#topology === undefined && !this.#hasContact;
    if (isJoining) return Math.min(1000 * 2 ** (attempt - 1), JOIN_WAIT_MAX_MS);
    return Math.min(50 * 2 ** (attempt - 1), REDIAL_MAX_MS) * (0.5 + Math.random() / 2);
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
    const before = this.#peers.get(address);
    this.#peers.set(address, peer);
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
    this.#linkTo(this.#forming.targets());
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
    this.#linkTo(topology.members.filter((address) => address !== this.#self));
    const remotes = topology.members.map((address) => this.#links.get(address) ?? null);
    this.#router.adopt({ topology, remotes });
    this.#log.info(facts, 'this node is a member');
    this.#publish();
    this.#onFormed();
  }

  /** Has a link to each of these addresses and to no other. */
  #linkTo(addresses: readonly string[]): void {
    for (const [address, link] of this.#links) {
      if (addresses.includes(address)) continue;
      this.#links.delete(address);
      link.close();
    }
    for (const address of addresses) {
      if (this.#links.has(address)) continue;
      const link = new Link(address, this, this.#options.transport);
      this.#links.set(address, link);
      link.dial();
    }
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
    for (const link of this.#links.values()) link.sendState(state);
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
    const peer = this.#peers.get(addr);
    const state = this.#links.get(addr)?.status.kind === 'up' ? 'up' : 'down';
    return { id: peer?.id ?? null, addr, client: peer?.client ?? null, state, partitions, epoch };
  }
}
