/** The router: serves each request where its key is owned, here or over a link. */

import { failure } from '../base/errors.ts';
import { HOPS_MAX } from '../base/limits.ts';
import { isSameFence, type Fence } from '../peer/fence.ts';
import type { NotMine } from '../peer/host.ts';
import { keep, type KeptReply, type Reply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import type { Topology } from './topology.ts';

/** The store of this node, which answers at once unless somebody else must have the change first. */
export interface LocalEngine {
  /** Serves a request for a key of this partition; what takes long stops when `isGone` says so. */
  serve(request: Request, partition: number, isGone?: () => boolean): Reply | Promise<KeptReply>;
}

/** A peer, which may find that it is not the owner. */
export interface RemoteEngine {
  /** Serves a request that was sent there by the topology of `fence`. */
  serve(request: Request, fence: Fence): Promise<KeptReply | NotMine>;
}

/** Who serves what, by one topology. */
export interface Routes {
  readonly topology: Topology;
  /** The way to each member, in the topology's order; null for this node. */
  readonly remotes: readonly (RemoteEngine | null)[];
}

export class Router {
  readonly #local: LocalEngine;
  readonly #onNotMine: (answer: NotMine) => void;
  #routes: Routes | undefined;

  /** `onNotMine` is told of the topology of a peer that goes by another one than this node. */
  constructor(local: LocalEngine, onNotMine: (answer: NotMine) => void) {
    this.#local = local;
    this.#onNotMine = onNotMine;
  }

  /** Routes by another topology from now on. */
  adopt(routes: Routes): void {
    this.#routes = routes;
  }

  serve(request: Request, isGone?: () => boolean): Reply | Promise<KeptReply> {
    const routes = this.#routes;
    if (routes === undefined) return NOT_READY;
    const partition = routes.topology.partitionOf(request.key);
    const remote = remoteIn(routes, partition);
    if (remote === null) return this.#local.serve(request, partition, isGone);
    return this.#send(remote, routes.topology, request, partition);
  }

  /** Serves a request if this node is the owner by the very topology that it was sent by. */
  serveHere(request: Request, fence: Fence): Reply | NotMine | Promise<KeptReply> {
    const routes = this.#routes;
    if (routes === undefined) return NOT_READY;
    const { topology } = routes;
    const partition = topology.partitionOf(request.key);
    if (isSameFence(topology, fence) && remoteIn(routes, partition) === null) {
      return this.#local.serve(request, partition);
    }
    return { status: 'not-mine', topology: topology.facts() };
  }

  /** Sends a request on, and again where the owner has changed meanwhile. */
  async #send(
    first: RemoteEngine,
    fence: Fence,
    request: Request,
    partition: number,
  ): Promise<KeptReply> {
    let remote: RemoteEngine | null = first;
    let sentBy = fence;
    for (let hop = 0; hop < HOPS_MAX; hop++) {
      const answer = await remote.serve(request, sentBy);
      if (answer.status !== 'not-mine') return answer;
      this.#onNotMine(answer);
      const routes = this.#routes!;
      sentBy = routes.topology;
      remote = remoteIn(routes, partition);
      if (remote !== null) continue;
      const reply = this.#local.serve(request, partition);
      return reply instanceof Promise ? reply : keep(reply);
    }
    return failure('OWNER_UNAVAILABLE', 'the members do not agree yet on who owns the key');
  }
}

/** The link to the owner of a partition, null for this node. */
function remoteIn({ topology, remotes }: Routes, partition: number): RemoteEngine | null {
  return remotes[topology.ownerOf(partition)]!;
}

/** The failure of every request before the node is a member. */
export const NOT_READY = failure(
  'NOT_READY',
  'the node waits for the other members of its cluster',
);
