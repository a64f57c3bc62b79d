/** The router: serves each request where its key is owned, here or over a link, also while that changes. */

import { Deferred } from '../base/deferred.ts';
import { failure, isFailure } from '../base/errors.ts';
import type { Range } from '../base/json/range.ts';
import type { Key } from '../base/key.ts';
import { MOVE_WAIT_HERE_MS, MOVE_WAIT_MS, NOT_MINE_PAUSE_MS } from '../base/limits.ts';
import { partitionOfRange } from '../base/partition.ts';
import type { Timers } from '../base/timers.ts';
import type { Text } from '../base/view.ts';
import { isSameFence, type Fence } from '../peer/fence.ts';
import type { NotMine } from '../peer/host.ts';
import type { AtHand } from '../record/engine.ts';
import type { Sight } from '../record/glimpse.ts';
import { keep, type KeptReply, type Reply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import type { Topology } from './topology.ts';

/** The store of this node, which answers at once unless somebody else must have the change first. */
export interface LocalEngine {
  /** Serves a request for a key of this partition; what takes long stops when `isGone` says so. */
  serve(request: Request, partition: number, isGone?: () => boolean): Reply | Promise<KeptReply>;
  /** The time by which `glance` and `put` are asked. */
  readonly now: number;
  /** Loads the key in a range of `text`, which is of this partition. */
  glance(text: Text, key: Range, partition: number, now: number): Sight;
  /** Stores the value in a range of `text` for good, under the key in another, which is of this partition. */
  put(text: Text, key: Range, value: Range, partition: number, now: number): Sight;
}

/** A peer, which may find that it is not the owner. */
export interface RemoteEngine {
  /** Serves a request that was sent there by the topology of `fence`. */
  serve(request: Request, fence: Fence, isGone?: () => boolean): Promise<KeptReply | NotMine>;
}

/** What requests for keys on the move may have to wait for. */
export interface Moves {
  /** What a request for a key that is owned here must wait for; undefined for nothing. */
  hold(key: Key, partition: number): Promise<unknown> | undefined;
  /** Whether no request has to wait for anything. */
  readonly areOver: boolean;
}

/** Who serves what, by one topology. */
export interface Routes {
  readonly topology: Topology;
  /** The way to each member, in the topology's order; null for this node. */
  readonly remotes: readonly (RemoteEngine | null)[];
  /** Old owners who have not given all yet: what comes from them is not served. */
  readonly awaiting: ReadonlySet<string>;
}

export interface RouterOptions {
  readonly local: LocalEngine;
  readonly moves: Moves;
  readonly timers: Timers;
}

export class Router {
  readonly #options: RouterOptions;
  #routes: Routes | undefined;
  #isClosed = false;
  /** Resolves when the routes change. */
  #change = new Deferred();

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /** Routes like this from now on. */
  adopt(routes: Routes): void {
    this.#routes = routes;
    this.wake();
  }

  /** Lets requests look again at what they wait for. */
  wake(): void {
    const change = this.#change;
    this.#change = new Deferred();
    change.resolve();
  }

  /** Serves nothing any more: this node is no member. */
  close(): void {
    this.#isClosed = true;
  }

  serve(request: Request, isGone?: () => boolean): Reply | Promise<KeptReply> {
    const routes = this.#routes;
    if (routes === undefined || this.#isClosed) return NOT_READY;
    const partition = routes.topology.partitionOf(request.key);
    const isHere = remoteIn(routes, partition) === null;
    if (!isHere || this.#obstacle(routes, request.key, partition) !== undefined) {
      return this.#serveLater(request, partition, isGone);
    }
    const reply = this.#serveLocally(routes, request, partition, isGone);
    if (!(reply instanceof Promise)) return reply;
    return reply.then((late) => late ?? this.#serveLater(request, partition, isGone));
  }

  /** What this node owns, if nothing is in the way. */
  atHand(): AtHand | undefined {
    const routes = this.#routes;
    const { local, moves } = this.#options;
    if (routes === undefined || this.#isClosed) return undefined;
    if (!moves.areOver || routes.awaiting.size > 0) return undefined;
    return new OwnedAtHand(local, routes);
  }

  /** Serves a request if this node is the owner by the very topology that it was sent by. */
  serveHere(
    request: Request,
    fence: Fence,
    isGone?: () => boolean,
  ): Reply | NotMine | Promise<KeptReply | NotMine> {
    const routes = this.#routes;
    // It has left, or was put out: whoever sent this will hear of it.
    if (this.#isClosed) return NOT_MINE;
    if (routes === undefined || isAhead(fence, routes.topology)) {
      return this.#serveHereLater(request, fence, isGone);
    }
    const { topology } = routes;
    const partition = topology.partitionOf(request.key);
    const isHere = isSameFence(topology, fence) && remoteIn(routes, partition) === null;
    if (!isHere) return NOT_MINE;
    if (this.#obstacle(routes, request.key, partition) !== undefined) {
      return this.#serveHereLater(request, fence, isGone);
    }
    const reply = this.#serveLocally(routes, request, partition, isGone);
    if (!(reply instanceof Promise)) return reply;
    return reply.then((late) => late ?? NOT_MINE);
  }

  /** Whether this node serves a partition now. */
  owns(partition: number): boolean {
    const routes = this.#routes;
    if (routes === undefined || remoteIn(routes, partition) !== null) return false;
    return !isAwaited(routes, partition);
  }

  /** Waits for what is in the way, and sends a request again where the owner has changed meanwhile. */
  async #serveLater(
    request: Request,
    partition: number,
    isGone?: () => boolean,
  ): Promise<KeptReply> {
    const { timers } = this.#options;
    const endMs = timers.nowMs() + MOVE_WAIT_MS;
    for (;;) {
      const routes = this.#routes!;
      const remote = remoteIn(routes, partition);
      if (this.#isClosed) return NOT_READY;
      if (remote === null) {
        const obstacle = this.#obstacle(routes, request.key, partition);
        if (obstacle === undefined) {
          const reply = this.#serveLocally(routes, request, partition, isGone);
          const answer = reply instanceof Promise ? await reply : keep(reply);
          if (answer !== undefined) return answer;
        } else {
          await this.#within(obstacle, endMs);
        }
      } else {
        const answer = await remote.serve(request, routes.topology, isGone);
        if (answer.status !== 'not-mine') return answer;
        // One of the two goes by an older topology, for a moment.
        const pauseEndMs = Math.min(endMs, timers.nowMs() + NOT_MINE_PAUSE_MS);
        if (this.#routes === routes) await this.#within(this.#change.promise, pauseEndMs);
      }
      if (timers.nowMs() >= endMs) return ON_THE_MOVE;
    }
  }

  async #serveHereLater(
    request: Request,
    fence: Fence,
    isGone?: () => boolean,
  ): Promise<KeptReply | NotMine> {
    const { timers } = this.#options;
    const endMs = timers.nowMs() + MOVE_WAIT_HERE_MS;
    for (;;) {
      const routes = this.#routes;
      if (this.#isClosed) return NOT_MINE;
      if (routes === undefined || isAhead(fence, routes.topology)) {
        await this.#within(this.#change.promise, endMs);
      } else {
        const { topology } = routes;
        const partition = topology.partitionOf(request.key);
        const isHere = isSameFence(topology, fence) && remoteIn(routes, partition) === null;
        if (!isHere) return NOT_MINE;
        const obstacle = this.#obstacle(routes, request.key, partition);
        if (obstacle === undefined) {
          const reply = this.#serveLocally(routes, request, partition, isGone);
          return (reply instanceof Promise ? await reply : keep(reply)) ?? NOT_MINE;
        }
        await this.#within(obstacle, endMs);
      }
      if (timers.nowMs() >= endMs) return this.#routes === undefined ? NOT_READY : ON_THE_MOVE;
    }
  }

  /**
   * Serves a request from the memory of this node. What takes more than a turn stops when the key moves
   * away meanwhile, and is then not served: undefined.
   */
  #serveLocally(
    routes: Routes,
    request: Request,
    partition: number,
    isGone?: () => boolean,
  ): Reply | Promise<KeptReply | undefined> {
    const isOver = (): boolean => this.#hasMoved(routes, partition) || isGone?.() === true;
    const reply = this.#options.local.serve(request, partition, isOver);
    if (!(reply instanceof Promise)) return reply;
    return reply.then((late) =>
      isFailure(late) && late.code === 'CLIENT_GONE' && this.#hasMoved(routes, partition)
        ? undefined
        : late,
    );
  }

  /** Whether a partition that was here by these routes is served elsewhere now. */
  #hasMoved(routes: Routes, partition: number): boolean {
    return this.#routes !== routes && !this.owns(partition);
  }

  /** What a request for a key that is owned here has to wait for. */
  #obstacle(routes: Routes, key: Key, partition: number): Promise<unknown> | undefined {
    if (isAwaited(routes, partition)) return this.#change.promise;
    return this.#options.moves.hold(key, partition);
  }

  /** Waits for something, until a time at most. */
  async #within(something: Promise<unknown>, endMs: number): Promise<void> {
    const { timers } = this.#options;
    const over = new Deferred();
    const cancel = timers.after(Math.max(endMs - timers.nowMs(), 0), () => over.resolve());
    await Promise.race([something, over.promise]);
    cancel();
  }
}

/** What a node owns by some routes, at one moment. */
class OwnedAtHand implements AtHand {
  readonly #local: LocalEngine;
  readonly #routes: Routes;
  readonly #partitions: number;
  readonly #now: number;

  constructor(local: LocalEngine, routes: Routes) {
    this.#local = local;
    this.#routes = routes;
    this.#partitions = routes.topology.partitions;
    this.#now = local.now;
  }

  load(text: Text, key: Range): Sight {
    const partition = partitionOfRange(text.view, key, this.#partitions);
    if (remoteIn(this.#routes, partition) !== null) return undefined;
    return this.#local.glance(text, key, partition, this.#now);
  }

  store(text: Text, key: Range, value: Range): Sight {
    const partition = partitionOfRange(text.view, key, this.#partitions);
    if (remoteIn(this.#routes, partition) !== null) return undefined;
    return this.#local.put(text, key, value, partition, this.#now);
  }
}

/** The link to the owner of a partition, null for this node. */
function remoteIn({ topology, remotes }: Routes, partition: number): RemoteEngine | null {
  return remotes[topology.ownerOf(partition)]!;
}

function isAwaited({ topology, awaiting }: Routes, partition: number): boolean {
  return awaiting.size > 0 && awaiting.has(topology.giverOf(partition) ?? '');
}

/** Whether something was sent by a topology that this node does not have yet. */
function isAhead(fence: Fence, topology: Topology): boolean {
  return fence.cluster === topology.cluster && fence.epoch > topology.epoch;
}

/** The answer to what is another member's, or not all here yet. */
export const NOT_MINE: NotMine = { status: 'not-mine' };

/** The failure of every request before the node is a member. */
export const NOT_READY = failure(
  'NOT_READY',
  'the node waits for the other members of its cluster',
);

const ON_THE_MOVE = failure(
  'OWNER_UNAVAILABLE',
  'the key is on its way from one member to another, and has not come yet',
);
