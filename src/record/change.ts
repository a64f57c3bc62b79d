/** What a store tells of its changes: each store and each removal of a record, to whoever follows. */

import type { Failure } from '../base/errors.ts';
import type { Key } from '../base/key.ts';
import type { ByteRange, Meta } from './reply.ts';

/** A record with all that belongs to it. */
export interface RecordState extends KeylessState {
  /** May be cut out of what a client has sent; whoever keeps it makes it its own. */
  readonly key: Key;
}

/** What there is of a record beside its key. */
export interface KeylessState {
  readonly meta: Meta;
  /** On loan: to be read or copied before anything else happens. */
  readonly value: ByteRange;
  /** When it expires, by the clock of this node in microseconds; `Infinity` for one that stays. */
  readonly deadline: number;
}

/** What every change says. */
interface Numbered {
  readonly partition: number;
  /** Counts the changes of one store, from 1 on. */
  readonly number: number;
}

/** A record was stored by a client, or has arrived from another member. */
interface Put extends Numbered {
  readonly kind: 'put';
  readonly cause: PutCause;
  readonly record: RecordState;
}

export type PutCause = 'store' | 'arrive';

/** A record is gone. */
interface Removal extends Numbered {
  readonly kind: 'remove';
  readonly cause: RemovalCause;
  readonly key: Key;
}

export type RemovalCause = 'delete' | 'expire' | 'evict';

/** All records of a partition have left this node; of each alone nothing is told. */
interface Clear extends Numbered {
  readonly kind: 'clear';
}

/** One change. That a record was read is none. */
export type Change = Put | Removal | Clear;

/** Whoever follows the changes of a store: a journal, a mirror, a watch. */
export interface Sink {
  /** Why clients may change nothing at present; undefined where they may. Asked before each change. */
  readonly refusal?: Failure | undefined;

  /**
   * Takes note of a change, which has been made. A promise delays the answer to whoever asked for it,
   * and a failure that it gives is the answer. Throws nothing and rejects never.
   */
  apply(change: Change): void | Promise<Failure | undefined>;
}
