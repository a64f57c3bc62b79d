/** What comes back from an engine, and how long its bytes stay. */

import type { Failure } from '../base/errors.ts';
import type { Lease } from '../base/lease.ts';

/** A range of bytes inside a larger buffer; saves making a view of them. */
export interface ByteRange {
  readonly bytes: Buffer;
  /** The same buffer, where it is at hand: of short ranges more is copied at a time. */
  readonly view?: DataView;
  readonly start: number;
  readonly end: number;
  /** Set for {@link KeptBytes}. */
  readonly isKept?: boolean;
}

/** Bytes that nobody writes to again, so they may wait for a promise or a socket. */
export interface KeptBytes extends ByteRange {
  readonly isKept: true;
  /** Set for what is only lent: to be released by whoever gets the reply. */
  readonly lease?: Lease;
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
  /**
   * Tells this version from another of the same time and count, where an engine may forget one: hex
   * digits, random at each store. Part of the version, not shown otherwise.
   */
  readonly salt?: string;
}

/** The meta of a record that is not there, as the answer to a delete shows it. */
export const NO_META: Meta = { index: 0, ttlNs: 0n, accessedAt: 0, createdAt: 0, updatedAt: 0 };

/** The member that served a request: its id and its address. */
export interface NodeRef {
  readonly id: string;
  readonly addr: string;
}

/** The request was served; `value` is there for all but those that remove something, and `expire`. */
export interface Served<Value extends ByteRange = ByteRange> {
  readonly status: 'ok';
  readonly node: NodeRef;
  readonly meta: Meta;
  readonly value: Value | undefined;
}

/** The record is still the version that the client has (`ifNoneMatch` of a load). */
interface Unchanged {
  readonly status: 'unchanged';
  readonly node: NodeRef;
  readonly meta: Meta;
}

/**
 * The answer to a request, on loan: its `value` may lie in memory that the next request writes to.
 * Read it before anything else happens, or {@link keep} it.
 */
export type Reply = Served | Unchanged | Failure;

/** An answer whose bytes stay. A promise carries no other: much may be served until it is settled. */
export type KeptReply = Served<KeptBytes> | Unchanged | Failure;

/** The one way from a reply on loan to one that stays: copies the value, unless that stays. */
export function keep(reply: Reply): KeptReply {
  if (reply.status !== 'ok') return reply;
  const { node, meta, value } = reply;
  if (value === undefined || isKept(value)) return { status: 'ok', node, meta, value };
  const bytes = Buffer.from(value.bytes.subarray(value.start, value.end));
  return { status: 'ok', node, meta, value: asKept({ bytes, start: 0, end: bytes.length }) };
}

/** Vouches that nobody will write to these bytes again, as is true of what a socket has delivered. */
export function asKept({ bytes, start, end }: ByteRange): KeptBytes {
  return { bytes, start, end, isKept: true };
}

/** Gives up a reply that nobody needs any more. */
export function release(reply: Reply): void {
  if (reply.status === 'ok' && reply.value !== undefined && isKept(reply.value)) {
    reply.value.lease?.release();
  }
}

/** Tells bytes that stay from those on loan. */
export function isKept(range: ByteRange): range is KeptBytes {
  return range.isKept === true;
}
