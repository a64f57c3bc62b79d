/** Pages of keys: how one member asks another for its keys, a bounded number at a time. */

import type { Key } from '../base/key.ts';
import { KEY_BYTES_MAX, PEER_PAGE_BYTES_MAX } from '../base/limits.ts';
import type { Lane } from '../base/scheduler.ts';
import type { KeyQuery, ListPiece, Place } from '../record/lister.ts';
import { FieldReader } from './fields.ts';
import { ProtocolError, type Frame, type FrameWriter } from './frame.ts';
import { readKey, writeKey } from './wire.ts';

const PLACE_BYTES = 8;

/** Stands for no place: there are far fewer partitions. */
const NO_PLACE: Place = { partition: 2 ** 32 - 1, hash: 0 };

/** Which keys to give. */
export interface PageQuery extends KeyQuery {
  /** At most so many. */
  readonly limit: number;
  /** Where to go on; counts more than `after`. */
  readonly from?: Place | undefined;
}

/** Some keys of one member, in its order; none where it has not found any yet. */
export interface KeyPage {
  readonly status: 'page';
  readonly keys: readonly Key[];
  /** Where the next page starts: behind the last of these keys, or at a place; undefined at the end. */
  readonly next: 'after' | Place | undefined;
}

/**
 * A page of at most `limit` keys, shorter if they are long, if `isDue` says that it is time to answer,
 * or if nobody waits for it any more.
 */
export async function collectPage(
  pieces: Iterable<ListPiece>,
  limit: number,
  lane: Lane,
  isDue: () => boolean,
): Promise<KeyPage> {
  const found: Key[] = [];
  let bytes = 0;
  if (!(await lane.share())) return { status: 'page', keys: [], next: undefined };
  for (const { keys, next } of pieces) {
    for (const key of keys) {
      bytes += 2 + key.length;
      if (found.length === limit || bytes > PEER_PAGE_BYTES_MAX) {
        return { status: 'page', keys: found, next: 'after' };
      }
      found.push(key);
    }
    if (isDue() || !(await lane.share())) return { status: 'page', keys: found, next };
  }
  return { status: 'page', keys: found, next: undefined };
}

/** A bound of the bytes that {@link writePageQuery} writes. */
export const PAGE_QUERY_BYTES_MAX = 2 * (2 + KEY_BYTES_MAX) + 4 + PLACE_BYTES;

/** Writes a query. */
export function writePageQuery(
  to: FrameWriter,
  { prefix, after = '' as Key, limit, from = NO_PLACE }: PageQuery,
): void {
  to.u32(limit);
  writePlace(to, from);
  writeKey(to, prefix);
  writeKey(to, after);
}

/** Reads what {@link writePageQuery} wrote. */
export function readPageQuery(from: FieldReader): PageQuery {
  const limit = from.u32();
  const place = readPlace(from);
  const prefix = readOptionalKey(from);
  const after = readOptionalKey(from);
  from.done();
  if (limit === 0) throw new ProtocolError('a page of no keys');
  return {
    limit,
    prefix,
    after: after === '' ? undefined : after,
    from: place.partition === NO_PLACE.partition ? undefined : place,
  };
}

function writePlace(to: FrameWriter, { partition, hash }: Place): void {
  to.u32(partition);
  to.u32(hash);
}

function readPlace(from: FieldReader): Place {
  return { partition: from.u32(), hash: from.u32() };
}

function readOptionalKey(from: FieldReader): Key {
  const length = from.u16();
  if (length > KEY_BYTES_MAX) throw new ProtocolError(`key of ${length} bytes`);
  return from.latin1(length) as Key;
}

/** A bound of the bytes that {@link writePage} writes. */
export function pageBytesMax({ keys }: KeyPage): number {
  return keys.reduce((bytes, key) => bytes + 2 + key.length, 1 + PLACE_BYTES);
}

const ENDS = 0;
const GOES_ON_AFTER = 1;
const GOES_ON_AT = 2;

/** Writes a page. */
export function writePage(to: FrameWriter, { keys, next }: KeyPage): void {
  if (next === undefined) to.u8(ENDS);
  else if (next === 'after') to.u8(GOES_ON_AFTER);
  else {
    to.u8(GOES_ON_AT);
    writePlace(to, next);
  }
  for (const key of keys) writeKey(to, key);
}

/** Reads what {@link writePage} wrote. */
export function readPage(frame: Frame): KeyPage {
  if (frame.kind !== 'listReply') throw new ProtocolError(`${frame.kind} frame as a page of keys`);
  const from = new FieldReader(frame);
  const next = readNext(from);
  const keys: Key[] = [];
  while (from.left > 0) keys.push(readKey(from));
  if (next === 'after' && keys.length === 0) {
    throw new ProtocolError('an empty page that has more after it');
  }
  return { status: 'page', keys, next };
}

function readNext(from: FieldReader): KeyPage['next'] {
  switch (from.u8()) {
    case ENDS:
      return undefined;
    case GOES_ON_AFTER:
      return 'after';
    case GOES_ON_AT:
      return readPlace(from);
    default:
      throw new ProtocolError('a page that goes on nowhere');
  }
}
