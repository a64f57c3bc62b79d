/** Watching: what an engine tells of the changes of keys, as they happen. */

import type { RemovalCause } from './change.ts';
import type { Interest } from './interest.ts';
import type { Key } from '../base/key.ts';
import type { ByteRange, Meta } from './reply.ts';

/** What a client watches. */
export interface WatchQuery {
  /** Changes at the node that is asked, or at all members. */
  readonly scope: 'node' | 'cluster';
  readonly interest: Interest;
  /** Whether the values of records are told, too. */
  readonly values: boolean;
  /** Where to go on: what {@link Watch.position} gave at any node, or text of a client's invention. */
  readonly since: string | undefined;
}

/** A record was stored; what is told is its state now, and states in between may be skipped. */
interface StoreEvent<Value extends ByteRange = ByteRange> {
  readonly kind: 'store';
  readonly key: Key;
  readonly meta: Meta;
  /** Undefined where values are not asked for. */
  readonly value: Value | undefined;
}

/** A record is gone, and why. */
interface GoneEvent {
  readonly kind: RemovalCause;
  readonly key: Key;
}

/** Changes at a member may have been missed: whoever needs to know lists the keys again. */
export interface LostEvent {
  readonly kind: 'lost';
  readonly member: string;
  readonly reason: 'behind' | 'restarted' | 'unreachable';
}

/** From here on nothing is missed at any of so many members. */
interface ReadyEvent {
  readonly kind: 'ready';
  readonly members: number;
}

export type WatchEvent = StoreEvent | GoneEvent | LostEvent | ReadyEvent;

/** A client's watch. Nothing is queued for it: what it does not take is forgotten in the end. */
export interface Watch {
  /** Where it stands; it names all that was taken. */
  readonly position: string;
  readonly hasNews: boolean;
  /** Takes at most so many events, on loan: to be read before anything else happens. */
  take(eventsMax: number): readonly WatchEvent[];
  /** Ends it; harmless when called twice. */
  close(): void;
}
