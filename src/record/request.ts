/** What can be asked of a record. */

import type { Key } from '../base/key.ts';
import type { RequestNames } from '../base/request-names.ts';
import type { ByteRange } from './reply.ts';

/**
 * Every action there is: its name in answers, its number between members, which never changes its
 * meaning, and whether it can change a record.
 */
export const ACTIONS = {
  load: { code: 1, writes: false },
  store: { code: 2, writes: true },
  delete: { code: 3, writes: true },
  index: { code: 4, writes: false },
  item: { code: 5, writes: false },
  patch: { code: 6, writes: true },
  increment: { code: 7, writes: true },
  append: { code: 8, writes: true },
  expire: { code: 9, writes: true },
} as const satisfies Record<string, ActionFacts>;

interface ActionFacts {
  readonly code: number;
  readonly writes: boolean;
}

/** The name of an action. */
export type Action = keyof typeof ACTIONS;

/** The versions that a condition accepts: any version at all, or one of a list. */
export type Versions = '*' | readonly string[];

/** A condition on the record as it is when the request is served (RFC 9110 §13.1). */
export interface Condition {
  readonly ifMatch?: Versions | undefined;
  readonly ifNoneMatch?: Versions | undefined;
}

/** What every request names. */
interface Target<A extends Action> {
  readonly action: A;
  readonly key: Key;
  /** What logs call it, at its owner too; only where requests are logged. */
  readonly names?: RequestNames | undefined;
}

/** What requests have that may depend on the record as it is. */
interface Conditional<A extends Action> extends Target<A> {
  readonly condition?: Condition | undefined;
}

/** A request that changes a record. */
interface Write<A extends Action> extends Conditional<A> {
  /** How many replicas are to have the change before it is answered; only where an engine has some. */
  readonly replicas?: number | undefined;
}

/** A place inside a value, a JSON pointer (RFC 6901) as `checkPointer` accepts it; '' is the whole. */
export type Pointer = string;

/** Asks for the value of a key. `condition.ifNoneMatch` makes the answer `unchanged` when it matches. */
export interface LoadRequest extends Conditional<'load'> {
  readonly pointer?: undefined;
}

/** Asks for the part of a value that is at `pointer`. */
interface LoadPartRequest extends Conditional<'load'> {
  readonly pointer: Pointer;
}

/** Stores the JSON text `value` under a key, for `ttlNs` nanoseconds from now, 0 for good. */
export interface StoreRequest extends Write<'store'> {
  readonly value: ByteRange;
  readonly ttlNs: bigint;
  readonly pointer?: undefined;
}

/** Puts the JSON text `value` at `pointer`; without `ttlNs` the record expires when it would have. */
interface StorePartRequest extends Write<'store'> {
  readonly value: ByteRange;
  readonly ttlNs?: bigint | undefined;
  readonly pointer: Pointer;
}

/** Removes a key; removing one that is not there succeeds too. */
export interface DeleteRequest extends Write<'delete'> {
  readonly pointer?: undefined;
}

/** Removes the part of a value that is at `pointer`; the record stays, and expires when it would have. */
interface DeletePartRequest extends Write<'delete'> {
  readonly pointer: Pointer;
}

/** Asks for the element at position `index`, from 0, of a list. */
interface IndexRequest extends Target<'index'> {
  readonly index: number;
}

/** Asks for the member named `item` of a dictionary. */
interface ItemRequest extends Target<'item'> {
  readonly item: string;
}

/** Changes a value by a patch, the JSON text of a merge patch (RFC 7396) or a JSON patch (RFC 6902). */
interface PatchRequest extends Write<'patch'> {
  readonly format: 'merge' | 'json';
  readonly patch: ByteRange;
  /** Counted from now, 0 for good; without it the record expires when it would have. */
  readonly ttlNs?: bigint | undefined;
}

/** Adds `by` to the number at `pointer`, exactly; the numbers are JSON text. */
export interface IncrementRequest extends Write<'increment'> {
  readonly pointer: Pointer;
  readonly by: string;
  /** What it is added to where there is no number yet. */
  readonly initial: string;
  readonly min?: string | undefined;
  readonly max?: string | undefined;
  readonly ttlNs?: bigint | undefined;
  /** Whether `ttlNs` is for a record that this makes, or for any. */
  readonly expire: 'created' | 'always';
}

/** Adds the elements of the list `values`, JSON text, to the end of the list at `pointer`. */
export interface AppendRequest extends Write<'append'> {
  readonly pointer: Pointer;
  readonly values: ByteRange;
  /** The list keeps so many of its last elements. */
  readonly maxLength?: number | undefined;
  readonly ttlNs?: bigint | undefined;
}

/** Lets a record expire `ttlNs` nanoseconds from now, 0 for never; its value and version stay. */
export interface ExpireRequest extends Write<'expire'> {
  readonly ttlNs: bigint;
}

/** A request for a part of a value. */
export type PartRequest = LoadPartRequest | IndexRequest | ItemRequest;

/** A request that changes no record. */
export type ReadRequest = LoadRequest | PartRequest;

/** A request that makes a new value of the one that is there. */
export type EditRequest =
  | StorePartRequest
  | DeletePartRequest
  | PatchRequest
  | IncrementRequest
  | AppendRequest;

export type Request = ReadRequest | StoreRequest | DeleteRequest | EditRequest | ExpireRequest;

/** Tells requests that make a new value of the one that is there from all others. */
export function isEdit(request: Request): request is EditRequest {
  switch (request.action) {
    case 'patch':
    case 'increment':
    case 'append':
      return true;
    case 'store':
    case 'delete':
      return request.pointer !== undefined;
    case 'load':
    case 'index':
    case 'item':
    case 'expire':
      return false;
  }
}

/** The JSON text that a request brings; undefined where it brings none. */
export function textOf(request: Request): ByteRange | undefined {
  switch (request.action) {
    case 'store':
      return request.value;
    case 'patch':
      return request.patch;
    case 'append':
      return request.values;
    case 'load':
    case 'delete':
    case 'index':
    case 'item':
    case 'increment':
    case 'expire':
      return undefined;
  }
}
