/** What can be asked of a record and what comes back: the one interface between the layers. */

import type { Failure } from '../errors.ts';
import type { Key } from '../key.ts';

/** A range of bytes inside a larger buffer; saves making a view of them. */
export interface Slice {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** The history of a record. Times are microseconds since the Unix epoch, 0 for never. */
export interface Meta {
  /** How many times the key was stored since it was created; 0 when there is no record. */
  readonly index: number;
  /** Time to live in nanoseconds, counted from `updatedAt`; 0 means it never expires. */
  readonly ttlNs: bigint;
  readonly accessedAt: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** The meta of a record that is not there, as the answer to a delete shows it. */
export const NO_META: Meta = { index: 0, ttlNs: 0n, accessedAt: 0, createdAt: 0, updatedAt: 0 };

/** The versions that a condition accepts: any version at all, or one of a list. */
export type Versions = '*' | readonly string[];

/** A condition on the record as it is when the request is served (RFC 9110 §13.1). */
export interface Condition {
  readonly ifMatch?: Versions | undefined;
  readonly ifNoneMatch?: Versions | undefined;
}

interface Target {
  readonly key: Key;
}

/** Asks for the value of a key. `condition.ifNoneMatch` makes the answer `unchanged` when it matches. */
interface LoadRequest extends Target {
  readonly action: 'load';
  readonly condition?: Condition | undefined;
}

/** Stores the JSON text `value` under a key, for `ttlNs` nanoseconds from now, 0 for good. */
export interface StoreRequest extends Target {
  readonly action: 'store';
  readonly value: Slice;
  readonly ttlNs: bigint;
  readonly condition?: Condition | undefined;
}

/** Removes a key; removing one that is not there succeeds too. */
export interface DeleteRequest extends Target {
  readonly action: 'delete';
  readonly condition?: Condition | undefined;
}

/** Asks for the element at position `index`, from 0, of a list. */
export interface IndexRequest extends Target {
  readonly action: 'index';
  readonly index: number;
}

/** Asks for the member named `item` of a dictionary. */
export interface ItemRequest extends Target {
  readonly action: 'item';
  readonly item: string;
}

export type Request = LoadRequest | StoreRequest | DeleteRequest | IndexRequest | ItemRequest;

/** The member that served a request: its id and its address. */
export interface NodeRef {
  readonly id: string;
  readonly addr: string;
}

/** The request was served; `value` is there for all but a delete. */
export interface Served {
  readonly status: 'ok';
  readonly node: NodeRef;
  readonly meta: Meta;
  readonly value: Slice | undefined;
}

/** The record is still the version that the client has (`ifNoneMatch` of a load). */
interface Unchanged {
  readonly status: 'unchanged';
  readonly node: NodeRef;
  readonly meta: Meta;
}

/**
 * The answer to a request. A `value` may lie in memory that the next request reuses: read it before
 * anything else happens, or copy it.
 */
export type Reply = Served | Unchanged | Failure;

/**
 * Whatever serves requests: the store of this node at once, the rest of the cluster by promise.
 * A failure is a reply; an exception is a defect.
 */
export interface Engine {
  serve(request: Request): Reply | Promise<Reply>;
}

/** Which keys to list. */
export interface ListQuery {
  /** Only keys that start with these bytes; empty for all. */
  readonly prefix: Key;
  /** Only keys that come after this one in the order of the listing. */
  readonly after?: Key | undefined;
}

/** Whatever can list its keys. */
export interface Lister {
  /**
   * The live keys, in slices that are each made when they are asked for. A key that is there from the
   * first slice to the last comes exactly once; one that comes or goes meanwhile at most once.
   */
  list(query: ListQuery): Iterable<Key[]> | AsyncIterable<Key[]>;
}

/** Names one state of a record. A key that is deleted and stored again gets another. */
export function versionOf(meta: Meta): string {
  // In two parts: a number of more than 32 bits takes V8 four times as long to print.
  const high = Math.floor(meta.createdAt / 2 ** 28);
  const low = meta.createdAt - high * 2 ** 28;
  return `${high.toString(36)}-${low.toString(36)}-${meta.index.toString(36)}`;
}
