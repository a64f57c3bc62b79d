/**
 * The contract of an engine: all that the API knows of what is behind it. This node's memory with its
 * cluster is one; a server elsewhere may be another.
 */

import type { Failure } from '../base/errors.ts';
import type { Range } from '../base/json/range.ts';
import type { Key } from '../base/key.ts';
import type { Text } from '../base/view.ts';
import type { Sight } from './glimpse.ts';
import type { KeptReply, Reply } from './reply.ts';
import type { Request } from './request.ts';
import type { Watch, WatchQuery } from './watch.ts';

/** Whatever serves requests, lists keys and knows its members. */
export interface Engine {
  /**
   * Serves one request: at once where the answer is at hand, else by promise. A failure is a reply; an
   * exception is a defect. What takes long may stop when `isGone` says that nobody waits for it any more.
   */
  serve(request: Request, isGone?: () => boolean): Reply | Promise<KeptReply>;

  /**
   * What is at hand on this node at this moment, until the next request is served or the turn of the event loop
   * ends. Not there for an engine that has no records at hand; undefined while something is in the way.
   */
  atHand?(): AtHand | undefined;

  /**
   * The live keys, in groups that are each made when they are asked for. A key that is there from the
   * first group to the last comes exactly once; one that comes or goes meanwhile at most once. A
   * failure ends the list: none is ever silently shorter.
   */
  list(query: ListQuery): Listing;

  /**
   * Watches the changes of keys; `onNews` is called when there is something to take, later and maybe
   * more than once. Not there for an engine that cannot tell of changes.
   */
  watch?(query: WatchQuery, onNews: () => void): Watch | Failure;

  /** Who serves the keys, as this node knows it; a failure as long as that is not certain. */
  members(): readonly Member[] | Failure;

  /**
   * Gets ready to serve; `client` is the address that clients reach this node by.
   *
   * @throws Error that says in a line why it cannot.
   */
  start(client: string): Promise<void>;

  /** Stops; harmless when called twice. */
  close(): void;

  /** Who owns what, and how that changes; not there for an engine whose members others manage. */
  readonly topology?: TopologyControl;

  /** Whether there are replicas, which a write may ask for. */
  readonly hasReplicas?: boolean;
}

/** Serves the simplest requests for keys in ranges of a text, as `serve` would, without an object for each. */
export interface AtHand {
  /** Loads a key. */
  load(text: Text, key: Range): Sight;
  /** Stores a value for good; what is seen of it is its version. */
  store(text: Text, key: Range, value: Range): Sight;
}

/** The members of an engine, as an operator sees and changes them. */
export interface TopologyControl {
  /**
   * What holds now and what is changing, as a document of the engine's own; `hasOwners` adds who owns each
   * partition. A failure as long as that is not certain.
   */
  view(hasOwners: boolean): object | Failure;
  /** Names what the view shows, but for how far copies are. */
  revision(): string;
  /** Calls `look` whenever the revision may be another one; returns how to call that off. */
  onChange(look: () => void): () => void;
  /**
   * Begins to take the member of this id or address away: it hands over what it has; with `isForgotten`
   * it is dead, and its partitions start empty elsewhere. Gives a document that says what was begun.
   */
  remove(member: string, isForgotten: boolean): object | Failure;
}

/** Which keys to list. */
export interface ListQuery {
  /** Those of the node that is asked, or those of all members. */
  readonly scope: 'node' | 'cluster';
  /** Only keys that start with these bytes; empty for all. */
  readonly prefix: Key;
  /** Goes on behind a key; what {@link KeyGroup.cursorAfter} gave, or text of a client's invention. */
  readonly cursor: string | undefined;
  /** How many keys are wanted; without it all of them. */
  readonly limit?: number | undefined;
}

/** What a list gives, piece by piece. */
export type Listing = Iterable<KeyGroup | Failure> | AsyncIterable<KeyGroup | Failure>;

/** Some keys of a list. */
export interface KeyGroup {
  readonly keys: readonly Key[];
  /** The cursor that goes on behind one of these keys; only the engine that made it can read it. */
  cursorAfter(key: Key): string;
}

/** A member, as `GET /v1/nodes` shows it; an engine adds what else it knows. */
export interface Member {
  /** Null for a member that has not been seen since this node started. */
  readonly id: string | null;
  readonly addr: string;
}
