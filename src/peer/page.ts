/** Pages of keys: how one member asks another for its keys, a bounded number at a time. */

import type { Key } from '../base/key.ts';
import { KEY_BYTES_MAX, PEER_PAGE_BYTES_MAX } from '../base/limits.ts';
import type { Lane } from '../base/scheduler.ts';
import type { KeyQuery, Lister } from '../record/lister.ts';
import { FieldReader } from './fields.ts';
import { ProtocolError, type Frame, type FrameWriter } from './frame.ts';
import { readKey, writeKey } from './wire.ts';

/** Which keys to give. */
export interface PageQuery extends KeyQuery {
  /** At most so many. */
  readonly limit: number;
}

/** Some keys of one member, in its order. */
export interface KeyPage {
  readonly status: 'page';
  readonly keys: readonly Key[];
  /** Whether there are keys after the last. */
  readonly hasMore: boolean;
}

/** A page of at most `limit` keys, shorter if they are long or `lane` ends. */
export async function collectPage(
  list: ReturnType<Lister['list']>,
  limit: number,
  lane: Lane,
): Promise<KeyPage> {
  const keys: Key[] = [];
  let bytes = 0;
  for await (const slice of list) {
    for (const key of slice) {
      bytes += 2 + key.length;
      if (keys.length === limit || bytes > PEER_PAGE_BYTES_MAX) {
        return { status: 'page', keys, hasMore: true };
      }
      keys.push(key);
    }
    if (!(await lane.share())) return { status: 'page', keys, hasMore: true };
  }
  return { status: 'page', keys, hasMore: false };
}

/** Writes a query; takes at most the bytes of two keys and 16. */
export function writePageQuery(
  to: FrameWriter,
  { prefix, after = '' as Key, limit }: PageQuery,
): void {
  to.u32(limit);
  writeKey(to, prefix);
  writeKey(to, after);
}

/** Reads what {@link writePageQuery} wrote. */
export function readPageQuery(from: FieldReader): PageQuery {
  const limit = from.u32();
  const prefix = readOptionalKey(from);
  const after = readOptionalKey(from);
  from.done();
  if (limit === 0) throw new ProtocolError('a page of no keys');
  return { limit, prefix, after: after === '' ? undefined : after };
}

function readOptionalKey(from: FieldReader): Key {
  const length = from.u16();
  if (length > KEY_BYTES_MAX) throw new ProtocolError(`key of ${length} bytes`);
  return from.latin1(length) as Key;
}

/** A bound of the bytes that {@link writePage} writes. */
export function pageBytesMax({ keys }: KeyPage): number {
  return keys.reduce((bytes, key) => bytes + 2 + key.length, 1);
}

/** Writes a page. */
export function writePage(to: FrameWriter, { keys, hasMore }: KeyPage): void {
  to.u8(hasMore ? 1 : 0);
  for (const key of keys) writeKey(to, key);
}

/** Reads what {@link writePage} wrote. */
export function readPage(frame: Frame): KeyPage {
  if (frame.kind !== 'listReply') throw new ProtocolError(`${frame.kind} frame as a page of keys`);
  const from = new FieldReader(frame);
  const hasMore = from.u8() === 1;
  const keys: Key[] = [];
  while (from.left > 0) keys.push(readKey(from));
  if (hasMore && keys.length === 0) throw new ProtocolError('an empty page that has more after it');
  return { status: 'page', keys, hasMore };
}
