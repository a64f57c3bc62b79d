/** Watching: what an engine tells of the changes of keys, as they happen. */

import type { RemovalCause } from './change.ts';
import type { Interest } from './interest.ts';
import type { Key } from '../base/key.ts';
import type { Lease } from '../base/lease.ts';
import type { ByteRange, KeptBytes, Meta } from './reply.ts';

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

/** How far a watch has come at one member. */
export interface WatchPlace {
  /** Tells one life of the member from the next. */
  readonly life: string;
  /** The number of the change that was taken last. */
  readonly number: number;
}

/** Characters of {@link WatchPlace.life}, hexadecimal digits. */
export const LIFE_CHARS = 8;

/** A record was stored; what is told is its state now, and states in between may be skipped. */
export interface StoreEvent<Value extends ByteRange = ByteRange> {
  readonly kind: 'store';
  readonly key: Key;
  readonly meta: Meta;
  /** Undefined where values are not asked for. */
  readonly value: Value | undefined;
  /** Keeps the value where it lies, if called at once; undefined where that cannot be. */
  readonly lend?: () => Lease | undefined;
}

/** A record is gone, and why. */
export interface GoneEvent {
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

/** What has happened at one member behind a place, as another member is told. */
export interface WatchPage {
  readonly status: 'changes';
  readonly place: WatchPlace;
  /** Why changes before these may have been missed. */
  readonly lost: 'behind' | 'restarted' | undefined;
  readonly events: readonly (StoreEvent<KeptBytes> | GoneEvent)[];
}

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
