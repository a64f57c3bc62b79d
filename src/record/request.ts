/** What can be asked of a record. */

import type { Key } from '../base/key.ts';
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
}

/** Asks for the value of a key. `condition.ifNoneMatch` makes the answer `unchanged` when it matches. */
interface LoadRequest extends Target<'load'> {
  readonly condition?: Condition | undefined;
}

/** Stores the JSON text `value` under a key, for `ttlNs` nanoseconds from now, 0 for good. */
export interface StoreRequest extends Target<'store'> {
  readonly value: ByteRange;
  readonly ttlNs: bigint;
  readonly condition?: Condition | undefined;
}

/** Removes a key; removing one that is not there succeeds too. */
export interface DeleteRequest extends Target<'delete'> {
  readonly condition?: Condition | undefined;
}

/** Asks for the element at position `index`, from 0, of a list. */
export interface IndexRequest extends Target<'index'> {
  readonly index: number;
}

/** Asks for the member named `item` of a dictionary. */
export interface ItemRequest extends Target<'item'> {
  readonly item: string;
}

/** A request that changes no value. */
export type ReadRequest = LoadRequest | IndexRequest | ItemRequest;

export type Request = ReadRequest | StoreRequest | DeleteRequest;
