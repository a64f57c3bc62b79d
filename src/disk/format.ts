/** How a record lies on disk: the bytes of its entry in a journal and in a snapshot. */

import { crc32 } from 'node:zlib';

import type { Key } from '../base/key.ts';
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../base/limits.ts';
import type { RecordState } from '../record/change.ts';

/** The version of everything in a data directory and in a snapshot; see docs/operations.md. */
export const FORMAT = 1;

// The name of an entry is the partition (u16, big-endian, so that those of a partition are neighbours)
// and the key. What is under it, little-endian:
//
//   0   CRC-32 of the name and of all that follows (u32)
//   4   index (u32)
//   8   time to live in nanoseconds, 0 for a record that stays (u64)
//  16   created, updated, accessed, deadline in microseconds since the Unix epoch (f64 each)
//  48   the value

const INDEX = 4;
const TTL = 8;
const TIMES = 16;
const HEADER_BYTES = 48;
const PARTITION_BYTES = 2;

/** What an entry has beyond the value. */
export const ENTRY_OVERHEAD_BYTES = HEADER_BYTES;

/** A record and the partition that it belongs to. */
export interface PlacedRecord {
  readonly partition: number;
  readonly record: RecordState;
}

/** The name of a record's entry. */
export function entryName(partition: number, key: Key): Buffer {
  const name = Buffer.allocUnsafe(PARTITION_BYTES + key.length);
  name.writeUInt16BE(partition);
  name.write(key, PARTITION_BYTES, 'latin1');
  return name;
}

/** The names of a partition are from the first of these on, and before the second, if there is one. */
export function namesOf(partition: number): { gte: Buffer; lt?: Buffer } {
  const gte = entryName(partition, '' as Key);
  if (partition === 0xffff) return { gte };
  return { gte, lt: entryName(partition + 1, '' as Key) };
}

/** What is stored under the name of a record. */
export function entryOf(name: Buffer, { meta, value, deadline }: RecordState): Buffer {
  const entry = Buffer.allocUnsafe(HEADER_BYTES + value.end - value.start);
  entry.writeUInt32LE(meta.index, INDEX);
  entry.writeBigUInt64LE(meta.ttlNs, TTL);
  entry.writeDoubleLE(meta.createdAt, TIMES);
  entry.writeDoubleLE(meta.updatedAt, TIMES + 8);
  entry.writeDoubleLE(meta.accessedAt, TIMES + 16);
  entry.writeDoubleLE(deadline, TIMES + 24);
  value.bytes.copy(entry, HEADER_BYTES, value.start, value.end);
  entry.writeUInt32LE(sumOf(name, entry));
  return entry;
}

/** The record of an entry; undefined if it is not as it was written. */
export function readEntry(name: Buffer, entry: Buffer): PlacedRecord | undefined {
  const keyBytes = name.length - PARTITION_BYTES;
  const valueBytes = entry.length - HEADER_BYTES;
  if (keyBytes < 1 || keyBytes > KEY_BYTES_MAX) return undefined;
  if (valueBytes < 1 || valueBytes > VALUE_BYTES_MAX) return undefined;
  if (entry.readUInt32LE() !== sumOf(name, entry)) return undefined;
  const meta = {
    index: entry.readUInt32LE(INDEX),
    ttlNs: entry.readBigUInt64LE(TTL),
    createdAt: entry.readDoubleLE(TIMES),
    updatedAt: entry.readDoubleLE(TIMES + 8),
    accessedAt: entry.readDoubleLE(TIMES + 16),
  };
  const deadline = entry.readDoubleLE(TIMES + 24);
  const key = name.toString('latin1', PARTITION_BYTES) as Key;
  const value = { bytes: entry, start: HEADER_BYTES, end: entry.length };
  return { partition: name.readUInt16BE(), record: { key, meta, value, deadline } };
}

function sumOf(name: Buffer, entry: Buffer): number {
  return crc32(entry.subarray(INDEX), crc32(name));
}
