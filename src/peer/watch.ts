/** How one member asks another what has changed there, and is answered when something has. */

import type { Key } from '../base/key.ts';
import type { RemovalCause } from '../record/change.ts';
import type { Interest } from '../record/interest.ts';
import type { KeptBytes } from '../record/reply.ts';
import {
  LIFE_CHARS,
  type GoneEvent,
  type StoreEvent,
  type WatchPage,
  type WatchPlace,
} from '../record/watch.ts';
import { BOUNDS, within } from './bounds.ts';
import type { FieldReader } from './fields.ts';
import { ProtocolError, type FrameWriter } from './frame.ts';
import { META_BYTES, readKey, readMeta, writeKey, writeMeta } from './wire.ts';

/** What is asked for. */
export interface WatchPageQuery {
  readonly interest: Interest;
  readonly values: boolean;
  /** Where to go on; undefined for from now on. */
  readonly since: WatchPlace | undefined;
}

const PLACE_BYTES = LIFE_CHARS + 8;

/** Stands for no place in a query. */
const FROM_NOW = '-'.repeat(LIFE_CHARS);

/** A bound of the bytes that {@link writeWatchQuery} writes. */
export function watchQueryBytesMax({ interest }: WatchPageQuery): number {
  return 3 + PLACE_BYTES + keysBytes(interest.keys) + keysBytes(interest.prefixes);
}

function keysBytes(keys: readonly Key[]): number {
  return keys.reduce((bytes, key) => bytes + 2 + key.length, 0);
}

/** Writes a query. */
export function writeWatchQuery(to: FrameWriter, query: WatchPageQuery): void {
  const { interest, values, since } = query;
  to.u8(values ? 1 : 0);
  writePlace(to, since ?? { life: FROM_NOW, number: 0 });
  to.u8(interest.keys.length);
  for (const key of interest.keys) writeKey(to, key);
  to.u8(interest.prefixes.length);
  for (const prefix of interest.prefixes) writeKey(to, prefix);
}

/** Reads what {@link writeWatchQuery} wrote. */
export function readWatchQuery(from: FieldReader): WatchPageQuery {
  const values = from.u8() === 1;
  const place = readPlace(from);
  const since = place.life === FROM_NOW ? undefined : place;
  const keys = readKeys(from, readKey);
  const prefixes = readKeys(from, readPrefix);
  from.done();
  return { values, since, interest: { keys, prefixes } };
}

function readKeys(from: FieldReader, read: (from: FieldReader) => Key): Key[] {
  const count = from.u8();
  within(BOUNDS.watched, count);
  return Array.from({ length: count }, () => read(from));
}

function readPrefix(from: FieldReader): Key {
  return from.latin1(within(BOUNDS.prefixBytes, from.u16())) as Key;
}

function writePlace(to: FrameWriter, { life, number }: WatchPlace): void {
  to.latin1(life);
  to.f64(number);
}

function readPlace(from: FieldReader): WatchPlace {
  return { life: from.latin1(LIFE_CHARS), number: within(BOUNDS.changeNumber, from.f64()) };
}

const LOST = { none: 0, behind: 1, restarted: 2 } as const;

/** Kinds of events; a number never changes its meaning. */
const KINDS = { store: 1, delete: 2, expire: 3, evict: 4 } as const;

const GONE_BY_CODE = new Map<number, RemovalCause>([
  [KINDS.delete, 'delete'],
  [KINDS.expire, 'expire'],
  [KINDS.evict, 'evict'],
]);

/** A bound of the bytes that {@link writeWatchPage} writes. */
export function watchPageBytesMax({ events }: WatchPage): number {
  return events.reduce((bytes, event) => bytes + eventBytesMax(event), 1 + PLACE_BYTES);
}

/** A bound of the bytes that an event takes. */
export function eventBytesMax(event: WatchPage['events'][number]): number {
  const value = 'value' in event ? event.value : undefined;
  return 1 + 2 + event.key.length + META_BYTES + 5 + (value ? value.end - value.start : 0);
}

/** Writes a page. */
export function writeWatchPage(to: FrameWriter, { place, lost, events }: WatchPage): void {
  to.u8(LOST[lost ?? 'none']);
  writePlace(to, place);
  for (const event of events) {
    to.u8(KINDS[event.kind]);
    writeKey(to, event.key);
    if (event.kind === 'store') writeState(to, event);
  }
}

function writeState(to: FrameWriter, { meta, value }: StoreEvent): void {
  writeMeta(to, meta);
  to.u8(value === undefined ? 0 : 1);
  if (value === undefined) return;
  to.u32(value.end - value.start);
  to.copy(value);
}

/** Reads what {@link writeWatchPage} wrote; values stay where they are. */
export function readWatchPage(from: FieldReader): WatchPage {
  const lostCode = from.u8();
  if (lostCode > LOST.restarted) throw new ProtocolError(`changes lost for reason ${lostCode}`);
  const lost =
    lostCode === LOST.none ? undefined : lostCode === LOST.behind ? 'behind' : 'restarted';
  const place = readPlace(from);
  const events: WatchPage['events'][number][] = [];
  while (from.left > 0) events.push(readEvent(from));
  return { status: 'changes', place, lost, events };
}

function readEvent(from: FieldReader): StoreEvent<KeptBytes> | GoneEvent {
  const code = from.u8();
  const key = readKey(from);
  if (code !== KINDS.store) {
    const kind = GONE_BY_CODE.get(code);
    if (kind === undefined) throw new ProtocolError(`event of kind ${code}`);
    return { kind, key };
  }
  const meta = readMeta(from);
  const value = from.u8() === 1 ? from.range(from.u32()) : undefined;
  return { kind: 'store', key, meta, value };
}
