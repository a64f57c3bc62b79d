/** What is behind the links and the peer port: one interface, that which decides in a cluster. */

import type { Failure } from '../base/errors.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { KeptReply, Reply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import type { KeyQuery, ListPiece, Place } from '../record/lister.ts';
import type { Fence } from './fence.ts';
import type { Hello, NodeState } from './messages.ts';
import type { WatchPage } from '../record/watch.ts';
import type { RecordPiece } from './record-piece.ts';
import type { WatchPageQuery } from './watch.ts';

/** What happens between this node and others. */
export type PeerEvent =
  /** The link to the address `dialled` is up, to `peer`. */
  | { readonly kind: 'up'; readonly dialled: string; readonly peer: Hello }
  /** A link that was up is down, or the `attempt`th attempt in a row to get it up has failed. */
  | {
      readonly kind: 'down';
      readonly dialled: string;
      readonly reason: string;
      readonly attempt: number;
    }
  /** A peer has told what it knows now. */
  | { readonly kind: 'state'; readonly peer: Hello; readonly state: NodeState }
  /** A connection has ended that a peer had made to this node. */
  | { readonly kind: 'left'; readonly peer: Hello; readonly reason: string }
  /** Somebody who is no peer has come to the peer port, and gone. */
  | { readonly kind: 'stranger'; readonly remote: string; readonly reason: string };

/** The answer of a node that goes by another topology than the request, or is not the owner of the key. */
export interface NotMine {
  readonly status: 'not-mine';
}

export interface PeerHost {
  /** What this node says first. */
  hello(): Hello;
  /**
   * Decides on what another node has said first; a text refuses it. It was found at the address
   * `dialled`, or has dialled this node itself.
   */
  admit(peer: Hello, dialled: string | undefined): string | undefined;
  on(event: PeerEvent): void;
  /** How long to wait before dialling again, after `attempt` attempts in a row that failed. */
  redialDelayMs(attempt: number): number;
  /**
   * Serves a request here, and only here: a node never sends on what a peer has sent it. What takes long
   * stops when `isGone` says that nobody waits for it any more.
   */
  serveHere(
    request: Request,
    fence: Fence,
    isGone: () => boolean,
  ): Reply | NotMine | Promise<KeptReply | NotMine>;
  /** The keys of this node. */
  scanHere(
    query: KeyQuery,
    from: Place | undefined,
    fence: Fence,
  ): Iterable<ListPiece> | NotMine | Failure;
  /** What has changed here, as soon as something has, or after a while that nothing has. */
  watchHere(query: WatchPageQuery): Promise<WatchPage | Failure>;
  /** Shares out the time that pages of keys take. */
  readonly scheduler: Scheduler;
  /** Takes a stream of records from a peer, which says what it is `about`; a text refuses it. */
  receive(peer: Hello, about: string): StreamUser | string;
}

/** Whoever takes what comes on a stream of records, one piece after the other. */
export interface StreamUser {
  /** Applies a piece; a text says why it cannot, and ends the stream. The next waits for a promise. */
  onPiece(piece: RecordPiece): string | undefined | Promise<string | undefined>;
  /** The stream is over, and was whole or not; called once. */
  onEnd(isWhole: boolean, reason: string): void;
}
