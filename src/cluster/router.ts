/** The router: serves each request where its key is owned, here or over a link. */

import { failure } from '../base/errors.ts';
import { HOPS_MAX } from '../base/limits.ts';
import type { NotMine } from '../peer/host.ts';
import { keep, type KeptReply, type Reply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import type { Topology } from './topology.ts';

/** The store of this node, which answers at once. */
export interface LocalEngine {
  serve(request: Request): Reply;
}

/** A peer, which may find that it is not the owner. */
export interface RemoteEngine {
  serve(request: Request): Promise<KeptReply | NotMine>;
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

  serve(request: Request): Reply | Promise<KeptReply> {
    const remote = this.#wayTo(request);
    if (remote === undefined) return NOT_READY;
    return remote === null ? this.#local.serve(request) : this.#send(remote, request);
  }

  /** Serves a request if this node is the owner. */
  serveHere(request: Request): Reply | NotMine {
    const remote = this.#wayTo(request);
    if (remote === undefined) return NOT_READY;
    if (remote === null) return this.#local.serve(request);
    return { status: 'not-mine', topology: this.#routes!.topology.facts() };
  }

  /** The link to the owner, null for this node, undefined before there is a topology. */
  #wayTo(request: Request): RemoteEngine | null | undefined {
    const routes = this.#routes;
    return routes?.remotes[routes.topology.ownerOf(request.key)];
  }

  /** Sends a request on, and again where the owner has changed meanwhile. */
  async #send(first: RemoteEngine, request: Request): Promise<KeptReply> {
    let remote: RemoteEngine | null | undefined = first;
    for (let hop = 0; hop < HOPS_MAX; hop++) {
      const answer = await remote.serve(request);
      if (answer.status !== 'not-mine') return answer;
      this.#onNotMine(answer);
      remote = this.#wayTo(request);
      if (remote === undefined) return NOT_READY;
      if (remote === null) return keep(this.#local.serve(request));
    }
    return failure('OWNER_UNAVAILABLE', 'the members do not agree yet on who owns the key');
  }
}

/** The failure of every request before the node is a member. */
export const NOT_READY = failure(
  'NOT_READY',
  'the node waits for the other members of its cluster',
);
