/**
 * The cluster as one node sees it: an engine that serves every key of the cluster, and the host of the
 * peers. It puts the parts together; `membership.ts` says who the members are.
 */

import type { Failure } from '../base/errors.ts';
import type { Scheduler } from '../base/scheduler.ts';
import { isSameFence, type Fence } from '../peer/fence.ts';
import type { NotMine, PeerEvent, PeerHost, StreamUser } from '../peer/host.ts';
import type { Link, LinkStats } from '../peer/link.ts';
import type { Hello } from '../peer/messages.ts';
import { Peers } from '../peer/peers.ts';
import type { Transport } from '../peer/transport.ts';
import type { KeyPage, PageQuery } from '../peer/page.ts';
import type { WatchPageQuery } from '../peer/watch.ts';
import type { AtHand, Engine, Listing, ListQuery, TopologyControl } from '../record/engine.ts';
import type { KeyQuery, ListPiece, Place, Scanner } from '../record/lister.ts';
import type { KeptReply, Reply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import type { Watch, WatchPage, WatchQuery } from '../record/watch.ts';
import { Control, type MemberView } from './control.ts';
import { Greeter, type GreeterOptions } from './greeter.ts';
import { listPartitions, type MemberLister } from './listing.ts';
import { Membership, type MembershipOptions } from './membership.ts';
import { Migration, type MigratingStore } from './migration.ts';
import { NOT_MINE, NOT_READY, Router, type LocalEngine } from './router.ts';
import { livePart } from './state.ts';
import type { Topology } from './topology.ts';
import { Watching, type WatchedStore } from './watching.ts';

export interface ClusterOptions extends MembershipOptions, GreeterOptions {
  /** What records that move may take. */
  readonly migrationBytesPerSecond: number;
  readonly scheduler: Scheduler;
  /** The store of this node. */
  readonly store: LocalEngine & Scanner & MigratingStore & WatchedStore;
  /** Listening already. */
  readonly transport: Transport;
  readonly onServed?: OnServed | undefined;
}

/** Is told of each request with names that another member has sent here, and of what came of it. */
export type OnServed = (request: Request, outcome: string, tookMs: number) => void;

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
  readonly #peers: Peers;
  readonly #migration: Migration;
  readonly #watching: Watching;
  readonly #router: Router;
  readonly #membership: Membership;
  readonly #greeter: Greeter;
  readonly #control: Control;

  constructor(options: ClusterOptions) {
    const { self, store, transport, timers, scheduler, clock, partitions } = options;
    this.#options = options;
    this.scheduler = scheduler;
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
      happen: (event) => this.#membership.happen(event),
    });
    this.#watching = new Watching(options);
    this.#router = new Router({ local: store, moves: this.#migration, timers });
    const parts = {
      peers: this.#peers,
      migration: this.#migration,
      router: this.#router,
      watching: this.#watching,
    };
    this.#membership = new Membership(options, parts);
    this.#greeter = new Greeter(options, this.#membership, this.#peers);
    this.#control = new Control({
      self,
      membership: this.#membership,
      greeter: this.#greeter,
      peers: this.#peers,
    });
  }

  /** Who and what is a member, for operators. */
  get topology(): TopologyControl {
    return this.#control;
  }

  /**
   * Starts to talk to the others; resolves when this node is a member. `client` is the address that
   * clients use.
   *
   * @throws Error that says why it cannot become one.
   */
  start(client: string): Promise<void> {
    this.#greeter.client = client;
    return this.#membership.start();
  }

  /** Begins to hand over all that this node has to the other members. */
  leave(): void {
    const { address, life } = this.#membership.state;
    this.#membership.happen({ kind: 'wish', wish: { kind: 'leave', who: address, life } });
  }

  /** Answers what peers have sent, and lets them send nothing more; in bounded time. */
  finish(): Promise<void> {
    return this.#peers.finish();
  }

  /** Closes all links. */
  close(): void {
    this.#watching.close();
    this.#membership.stop();
    this.#peers.close();
  }

  serve(request: Request, isGone?: () => boolean): Reply | Promise<KeptReply> {
    return this.#router.serve(request, isGone);
  }

  atHand(): AtHand | undefined {
    return this.#router.atHand();
  }

  serveHere(
    request: Request,
    fence: Fence,
    isGone: () => boolean,
  ): Reply | NotMine | Promise<KeptReply | NotMine> {
    const { onServed } = this.#options;
    if (request.names === undefined || onServed === undefined) {
      return this.#router.serveHere(request, fence, isGone);
    }
    const startMs = performance.now();
    const told = <T extends Reply | NotMine>(reply: T): T => {
      const outcome = reply.status === 'failed' ? reply.code : reply.status;
      onServed(request, outcome, performance.now() - startMs);
      return reply;
    };
    const reply = this.#router.serveHere(request, fence, isGone);
    return reply instanceof Promise ? reply.then(told) : told(reply);
  }

  scanHere(
    query: KeyQuery,
    from: Place | undefined,
    fence: Fence,
  ): Iterable<ListPiece> | NotMine | Failure {
    const { topology } = this.#membership;
    if (topology === undefined) return NOT_READY;
    if (!isSameFence(topology, fence) || !this.#membership.holds(topology)) return NOT_MINE;
    return this.#options.store.scan({ ...query, owns: (one) => this.#router.owns(one) }, from);
  }

  /** Whether the members are changing, and how far this node is with copying what it gives. */
  changeStats(): ChangeStats {
    const isUnderWay = livePart(this.#membership.state.part) !== null;
    const { bytes = 0, bytesDone = 0 } = (isUnderWay ? this.#migration.progress : null) ?? {};
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
    return this.#control.members();
  }

  /** The keys of this node, or of all members, by partition. */
  list(query: ListQuery): Listing {
    const membership = this.#membership;
    if (membership.topology === undefined) return [NOT_READY];
    const { timers } = this.#options;
    const source = {
      get topology(): Topology {
        return membership.topology!;
      },
      listers: (topology: Topology) => this.#listers(topology, query.scope),
      pause: (ms: number) => new Promise<void>((resolve) => void timers.after(ms, resolve)),
    };
    return listPartitions(source, query);
  }

  /** Those whose keys are listed. */
  #listers(topology: Topology, scope: ListQuery['scope']): Map<string, MemberLister> {
    const { self } = this.#options;
    const listers = new Map<string, MemberLister>();
    for (const address of topology.members) {
      const link = this.#peers.link(address);
      if (address === self.addr) listers.set(address, this.#ownLister(topology));
      else if (scope === 'cluster') listers.set(address, listerOf(link!, topology));
    }
    return listers;
  }

  #ownLister(topology: Topology): MemberLister {
    const page = (query: PageQuery): KeyPage | NotMine => {
      if (!this.#membership.holds(topology)) return NOT_MINE;
      // One table is one piece; whoever asks for the next has let others go before.
      for (const piece of this.#options.store.scan(query, query.from)) {
        return { status: 'page', ...piece };
      }
      return { status: 'page', keys: [], next: undefined };
    };
    return { id: this.#options.self.id, page };
  }

  watch(query: WatchQuery, onNews: () => void): Watch | Failure {
    if (this.#membership.topology === undefined) return NOT_READY;
    return this.#watching.watch(query, onNews);
  }

  watchHere(query: WatchPageQuery): Promise<WatchPage | Failure> {
    return this.#watching.watchHere(query);
  }

  hello(): Hello {
    return this.#greeter.hello();
  }

  admit(peer: Hello, dialled: string | undefined): string | undefined {
    return this.#greeter.admit(peer, dialled);
  }

  on(event: PeerEvent): void {
    this.#greeter.on(event);
  }

  redialDelayMs(attempt: number): number {
    return this.#greeter.redialDelayMs(attempt);
  }

  receive({ address, life }: Hello, about: string): StreamUser | string {
    return this.#migration.receive(address, life, about);
  }
}

/** Another member, over the link to it. */
function listerOf(link: Link, topology: Topology): MemberLister {
  return {
    get id(): string | undefined {
      return link.status.kind === 'up' ? link.status.peer.id : undefined;
    },
    page: (query) => link.list(query, topology),
  };
}
