/** How requests on records, and their replies, look inside a frame. */

import { failure, isFailureCode } from '../base/errors.ts';
import type { Key } from '../base/key.ts';
import { isNumber } from '../record/decimal.ts';
import { checkPointer } from '../record/pointer.ts';
import {
  NO_META,
  type ByteRange,
  type KeptBytes,
  type KeptReply,
  type Meta,
  type NodeRef,
  type Reply,
} from '../record/reply.ts';
import {
  ACTIONS,
  type Action,
  type Condition,
  type IncrementRequest,
  type Pointer,
  type Request,
  type Versions,
} from '../record/request.ts';
import { BOUNDS, isTtl, within, type Bound } from './bounds.ts';
import type { FieldReader } from './fields.ts';
import { ProtocolError, type FrameWriter } from './frame.ts';
import { namesBytesMax, readNames, writeNames } from './names.ts';

const ACTION_BY_CODE = new Map(
  Object.entries(ACTIONS).map(([action, { code }]) => [code as number, action as Action]),
);

/** How many versions a list has, or that it is no list. */
const NO_VERSIONS = 0xff;
const ANY_VERSION = 0xfe;

/** Bytes beside key, value, item and condition. */
const REQUEST_BYTES_MAX = 32;

/** Added to the number of an action where the names of the request come before its key. */
const NAMED = 0x80;

/** A bound of the bytes that {@link writeRequest} writes. */
export function requestBytesMax(request: Request): number {
  const bytes = REQUEST_BYTES_MAX + request.key.length + namesBytesMax(request.names);
  switch (request.action) {
    case 'index':
      return bytes;
    case 'item':
      return bytes + 3 * request.item.length;
    case 'expire':
      return bytes + conditionBytesMax(request.condition);
    case 'load':
    case 'delete':
      return bytes + conditionBytesMax(request.condition) + textBytesMax(request.pointer);
    case 'store':
      return (
        bytes +
        conditionBytesMax(request.condition) +
        textBytesMax(request.pointer) +
        lengthOf(request.value)
      );
    case 'patch':
      return bytes + conditionBytesMax(request.condition) + lengthOf(request.patch);
    case 'increment': {
      const { pointer, by, initial, min, max } = request;
      return [pointer, by, initial, min, max].reduce(
        (sum, text) => sum + textBytesMax(text),
        bytes + conditionBytesMax(request.condition),
      );
    }
    case 'append':
      return (
        bytes +
        conditionBytesMax(request.condition) +
        textBytesMax(request.pointer) +
        lengthOf(request.values)
      );
  }
}

function lengthOf({ start, end }: ByteRange): number {
  return end - start;
}

function textBytesMax(text: string | undefined): number {
  return 2 + 3 * (text?.length ?? 0);
}

function conditionBytesMax(condition: Condition | undefined): number {
  if (condition === undefined) return 0;
  let bytes = 0;
  for (const versions of [condition.ifMatch, condition.ifNoneMatch]) {
    if (Array.isArray(versions)) for (const version of versions) bytes += 2 + version.length;
  }
  return bytes;
}

/**
 * Writes a request for which `unsendable` finds nothing; a ttl stays relative, for the owner's clock
 * decides when a record expires.
 */
export function writeRequest(to: FrameWriter, request: Request): void {
  const { code } = ACTIONS[request.action];
  if (request.names === undefined) {
    to.u8(code);
  } else {
    to.u8(code | NAMED);
    writeNames(to, request.names);
  }
  to.u16(request.key.length);
  to.latin1(request.key);
  switch (request.action) {
    case 'index':
      return to.f64(request.index);
    case 'item':
      return to.utf8(request.item);
    case 'load':
    case 'delete':
      writeCondition(to, request.condition);
      return writeText(to, request.pointer);
    case 'store':
      writeCondition(to, request.condition);
      writeText(to, request.pointer);
      writeOptionalTtl(to, request.ttlNs);
      return to.copy(request.value);
    case 'patch':
      writeCondition(to, request.condition);
      writeOptionalTtl(to, request.ttlNs);
      to.u8(request.format === 'merge' ? 0 : 1);
      return to.copy(request.patch);
    case 'increment':
      writeCondition(to, request.condition);
      writeOptionalTtl(to, request.ttlNs);
      to.u8(request.expire === 'created' ? 0 : 1);
      for (const field of INCREMENT_TEXTS) writeText(to, request[field]);
      return;
    case 'append':
      writeCondition(to, request.condition);
      writeOptionalTtl(to, request.ttlNs);
      writeText(to, request.pointer);
      to.f64(request.maxLength ?? 0);
      return to.copy(request.values);
    case 'expire':
      writeCondition(to, request.condition);
      return to.u64(request.ttlNs);
  }
}

const INCREMENT_TEXTS = ['pointer', 'by', 'initial', 'min', 'max'] as const;

/** Reads what {@link writeRequest} wrote; a value stays where it is. */
export function readRequest(from: FieldReader): Request {
  const code = from.u8();
  if (code < NAMED) return readNameless(from, code);
  const names = readNames(from);
  return { ...readNameless(from, code - NAMED), names };
}

function readNameless(from: FieldReader, code: number): Request {
  const action = ACTION_BY_CODE.get(code);
  const key = readKey(from);
  switch (action) {
    case 'index':
      return { action, key, index: within(BOUNDS.index, from.f64()) };
    case 'item':
      return { action, key, item: from.utf8(within(BOUNDS.itemBytes, from.left)) };
    case 'load':
      return { action, key, condition: readCondition(from), pointer: readPointer(from) };
    case 'delete':
      return { action, key, condition: readCondition(from), pointer: readPointer(from) };
    case 'store': {
      const condition = readCondition(from);
      const pointer = readPointer(from);
      const ttlNs = readOptionalTtl(from);
      const value = readJson(from);
      if (pointer !== undefined) return { action, key, condition, pointer, ttlNs, value };
      if (ttlNs === undefined) throw new ProtocolError('a store without a time to live');
      return { action, key, condition, ttlNs, value };
    }
    case 'patch': {
      const condition = readCondition(from);
      const ttlNs = readOptionalTtl(from);
      const format = from.u8() === 0 ? 'merge' : 'json';
      return { action, key, condition, ttlNs, format, patch: readJson(from) };
    }
    case 'increment':
      return readIncrement(from, key);
    case 'append': {
      const condition = readCondition(from);
      const ttlNs = readOptionalTtl(from);
      const pointer = readPointer(from) ?? '';
      const maxLength = within(BOUNDS.listLength, from.f64()) || undefined;
      return { action, key, condition, ttlNs, pointer, maxLength, values: readJson(from) };
    }
    case 'expire':
      return { action, key, condition: readCondition(from), ttlNs: readTtl(from) };
    case undefined:
      throw new ProtocolError('a request with an unknown action');
  }
}

function readIncrement(from: FieldReader, key: Key): IncrementRequest {
  const condition = readCondition(from);
  const ttlNs = readOptionalTtl(from);
  const expire = from.u8() === 0 ? 'created' : 'always';
  const pointer = readPointer(from) ?? '';
  const by = readNumber(from);
  const initial = readNumber(from);
  const min = readNumber(from);
  const max = readNumber(from);
  if (by === undefined || initial === undefined) throw new ProtocolError('an increment by nothing');
  return { action: 'increment', key, condition, ttlNs, expire, pointer, by, initial, min, max };
}

/** The JSON text that is left. */
function readJson(from: FieldReader): KeptBytes {
  return from.range(within(BOUNDS.valueBytes, from.left));
}

/** A length that says that there is no text. */
const NO_TEXT = 0xffff;

function writeText(to: FrameWriter, text: string | undefined): void {
  if (text === undefined) return to.u16(NO_TEXT);
  to.u16(Buffer.byteLength(text));
  to.utf8(text);
}

function readText(from: FieldReader, limits: Bound): string | undefined {
  const length = from.u16();
  return length === NO_TEXT ? undefined : from.utf8(within(limits, length));
}

function readPointer(from: FieldReader): Pointer | undefined {
  const text = readText(from, BOUNDS.pointerBytes);
  if (text === undefined) return undefined;
  const pointer = checkPointer(text);
  if (typeof pointer === 'string') return pointer;
  throw new ProtocolError(pointer.detail);
}

function readNumber(from: FieldReader): string | undefined {
  const text = readText(from, BOUNDS.numberBytes);
  if (text === undefined || isNumber(text)) return text;
  throw new ProtocolError('a number that is none');
}

function writeOptionalTtl(to: FrameWriter, ttlNs: bigint | undefined): void {
  to.u8(ttlNs === undefined ? 0 : 1);
  if (ttlNs !== undefined) to.u64(ttlNs);
}

function readOptionalTtl(from: FieldReader): bigint | undefined {
  return from.u8() === 0 ? undefined : readTtl(from);
}

/** Reads a key with its length. */
export function readKey(from: FieldReader): Key {
  return from.latin1(within(BOUNDS.keyBytes, from.u16())) as Key;
}

/** Writes a key with its length. */
export function writeKey(to: FrameWriter, key: Key): void {
  to.u16(key.length);
  to.latin1(key);
}

function readTtl(from: FieldReader): bigint {
  const ttlNs = from.u64();
  if (!isTtl(ttlNs)) throw new ProtocolError(`time to live of ${ttlNs} ns`);
  return ttlNs;
}

function writeCondition(to: FrameWriter, condition: Condition | undefined): void {
  writeVersions(to, condition?.ifMatch);
  writeVersions(to, condition?.ifNoneMatch);
}

function writeVersions(to: FrameWriter, versions: Versions | undefined): void {
  if (versions === undefined) return to.u8(NO_VERSIONS);
  if (versions === '*') return to.u8(ANY_VERSION);
  to.u8(versions.length);
  for (const version of versions) {
    to.u16(version.length);
    to.latin1(version);
  }
}

function readCondition(from: FieldReader): Condition | undefined {
  const ifMatch = readVersions(from);
  const ifNoneMatch = readVersions(from);
  return ifMatch === undefined && ifNoneMatch === undefined ? undefined : { ifMatch, ifNoneMatch };
}

function readVersions(from: FieldReader): Versions | undefined {
  const count = from.u8();
  if (count === NO_VERSIONS) return undefined;
  if (count === ANY_VERSION) return '*';
  const length = within(BOUNDS.versions, count);
  return Array.from({ length }, () => from.latin1(within(BOUNDS.versionBytes, from.u16())));
}

/** A bound of the bytes that {@link writeReply} writes. */
export function replyBytesMax(reply: Reply): number {
  if (reply.status === 'failed') {
    return 3 + reply.code.length + (reply.version?.length ?? 0) + 3 * reply.detail.length;
  }
  const value = reply.status === 'ok' ? reply.value : undefined;
  return META_BYTES + 2 + (value === undefined ? 0 : value.end - value.start);
}

export const META_BYTES = 40;

const STATUSES = { deleted: 0, ok: 1, unchanged: 2, failed: 3, changed: 4 } as const;

/** Writes a reply, at once: its value may not be there later. The node is not in it. */
export function writeReply(to: FrameWriter, reply: Reply): void {
  switch (reply.status) {
    case 'failed':
      to.u8(STATUSES.failed);
      to.u8(reply.code.length);
      to.latin1(reply.code);
      to.u8(reply.version?.length ?? 0);
      to.latin1(reply.version ?? '');
      return to.utf8(reply.detail);
    case 'unchanged':
      to.u8(STATUSES.unchanged);
      return writeMeta(to, reply.meta);
    case 'ok':
      if (reply.value === undefined) {
        if (reply.meta === NO_META) return to.u8(STATUSES.deleted);
        to.u8(STATUSES.changed);
        return writeMeta(to, reply.meta);
      }
      to.u8(STATUSES.ok);
      writeMeta(to, reply.meta);
      return to.copy(reply.value);
  }
}

/** Reads what {@link writeReply} wrote; `node` is who it came from. */
export function readReply(from: FieldReader, node: NodeRef): KeptReply {
  switch (from.u8()) {
    case STATUSES.ok: {
      const meta = readMeta(from);
      return { status: 'ok', node, meta, value: readJson(from) };
    }
    case STATUSES.deleted:
      return { status: 'ok', node, meta: NO_META, value: undefined };
    case STATUSES.changed:
      return { status: 'ok', node, meta: readMeta(from), value: undefined };
    case STATUSES.unchanged:
      return { status: 'unchanged', node, meta: readMeta(from) };
    case STATUSES.failed: {
      const code = from.latin1(from.u8());
      if (!isFailureCode(code)) throw new ProtocolError('a reply with an unknown failure');
      const version = from.latin1(from.u8());
      if (!/^[\w-]*$/.test(version)) throw new ProtocolError('a reply with a bad version');
      const failed = failure(code, from.utf8(within(BOUNDS.detailBytes, from.left)));
      return version === '' ? failed : { ...failed, version };
    }
    default:
      throw new ProtocolError('a reply with an unknown status');
  }
}

/** Writes the meta of a record. */
export function writeMeta(to: FrameWriter, meta: Meta): void {
  to.f64(meta.index);
  to.u64(meta.ttlNs);
  to.f64(meta.accessedAt);
  to.f64(meta.createdAt);
  to.f64(meta.updatedAt);
}

/** Reads what {@link writeMeta} wrote. */
export function readMeta(from: FieldReader): Meta {
  const index = readMetaNumber(from);
  const ttlNs = readTtl(from);
  const accessedAt = readMetaNumber(from);
  const createdAt = readMetaNumber(from);
  return { index, ttlNs, accessedAt, createdAt, updatedAt: readMetaNumber(from) };
}

function readMetaNumber(from: FieldReader): number {
  return within(BOUNDS.metaNumber, from.f64());
}
