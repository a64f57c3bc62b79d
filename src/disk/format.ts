/** How a record lies on disk: the bytes of its entry in a journal and in a snapshot. */

import { crc32 } from 'node:zlib';

import type { Key } from '../base/key.ts';
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../base/limits.ts';
import type { RecordState } from '../record/change.ts';
import { crc32c } from './crc32c.ts';

/** The version of everything in a data directory and in a snapshot; see docs/operations.md. */
export const FORMAT = 1;

// The name of an entry is the partition (u16, big-endian, so that those of a partition are neighbours)
// and the key. What is under it, little-endian:
//
//   0   index (u32)
//   4   time to live in nanoseconds, 0 for a record that stays (u64)
//  12   created, updated, accessed, deadline in microseconds since the Unix epoch (f64 each)
//  44   the value
//       CRC-32 of all that, begun with the CRC-32C of the name (u32)

const INDEX = 0;
const TTL = 4;
const TIMES = 12;
const HEADER_BYTES = 44;
const SUM_BYTES = 4;
const PARTITION_BYTES = 2;

/** The CRC-32 of bytes that end in their own, whatever it began with. */
const SUM_OF_SOUND = 0x21_44_df_1c;

/** What an entry has beyond the value. */
export const ENTRY_OVERHEAD_BYTES = HEADER_BYTES + SUM_BYTES;

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
  const entry = Buffer.allocUnsafe(ENTRY_OVERHEAD_BYTES + value.end - value.start);
  entry.writeUInt32LE(meta.index, INDEX);
  entry.writeBigUInt64LE(meta.ttlNs, TTL);
  entry.writeDoubleLE(meta.createdAt, TIMES);
  entry.writeDoubleLE(meta.updatedAt, TIMES + 8);
  entry.writeDoubleLE(meta.accessedAt, TIMES + 16);
  entry.writeDoubleLE(deadline, TIMES + 24);
  value.bytes.copy(entry, HEADER_BYTES, value.start, value.end);
  const sumAt = entry.length - SUM_BYTES;
  entry.writeUInt32LE(crc32(entry.subarray(0, sumAt), sumOfName(name)), sumAt);
  return entry;
}

/** The record of an entry; undefined if it is not as it was written. */
export function readEntry(name: Buffer, entry: Buffer): PlacedRecord | undefined {
  const keyBytes = name.length - PARTITION_BYTES;
  const valueBytes = entry.length - ENTRY_OVERHEAD_BYTES;
  if (keyBytes < 1 || keyBytes > KEY_BYTES_MAX) return undefined;
  if (valueBytes < 1 || valueBytes > VALUE_BYTES_MAX) return undefined;
  if (crc32(entry, sumOfName(name)) !== SUM_OF_SOUND) return undefined;
  const meta = {
    index: entry.readUInt32LE(INDEX),
    ttlNs: entry.readBigUInt64LE(TTL),
    createdAt: entry.readDoubleLE(TIMES),
    updatedAt: entry.readDoubleLE(TIMES + 8),
    accessedAt: entry.readDoubleLE(TIMES + 16),
  };
  const deadline = entry.readDoubleLE(TIMES + 24);
  const key = name.toString('latin1', PARTITION_BYTES) as Key;
  const value = { bytes: entry, start: HEADER_BYTES, end: entry.length - SUM_BYTES };
  return { partition: name.readUInt16BE(), record: { key, meta, value, deadline } };
}

/** Names are short: to have them summed up by zlib would cost ten times as much. */
function sumOfName(name: Buffer): number {
  return crc32c(name, 0, name.length);
}
