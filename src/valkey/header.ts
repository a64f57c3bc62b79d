/**
 * A record as the server holds it: one string, a header with all meta, then the value byte for byte.
 *
 * | bytes | what |
 * |---|---|
 * | 1 | 254, or 253 for a header that ends in a deadline; no UTF-8 text begins so |
 * | 7 | `createdAt` |
 * | 6 | `index` |
 * | 5 | `salt`, random at each store |
 * | 7 | `updatedAt` |
 * | 7 | time to live in microseconds, rounded up; 0 for good |
 * | 2 | nanoseconds that the rounding added |
 * | 7 | `accessedAt` |
 * | 7 | with 253: the deadline, of a record that was changed and expires when it would have |
 *
 * Numbers are big-endian, times microseconds. With 254 the deadline is `updatedAt` plus time to live: seven
 * bytes less let most records do with the next smaller piece of the server's memory.
 */

import type { Meta } from '../record/reply.ts';

/** A header, and one that ends in a deadline. */
export const HEADER_BYTES = 42;
export const LONG_HEADER_BYTES = 49;

const SHORT = 254;
const LONG = 253;

const CREATED = 1;
const INDEX = 8;
const SALT = 14;
const UPDATED = 19;
const TTL_US = 26;
const TTL_SPARE_NS = 33;
const ACCESSED = 35;

export const TIME_BYTES = 7;
const INDEX_BYTES = 6;
export const SALT_BYTES = 5;
const VERSION_BYTES = SALT + SALT_BYTES - CREATED;

/** Whether these are bytes that begin with a whole header. */
export function hasHeader(bytes: unknown): bytes is Buffer {
  if (!Buffer.isBuffer(bytes)) return false;
  if (bytes[0] === LONG) return bytes.length >= LONG_HEADER_BYTES;
  return bytes[0] === SHORT && bytes.length >= HEADER_BYTES;
}

/** Where the value of a record begins. */
export function valueStart(record: Buffer): number {
  return record[0] === LONG ? LONG_HEADER_BYTES : HEADER_BYTES;
}

/** The meta in what begins with a header; the time of the last access may be given apart. */
export function decodeMeta(header: Buffer, accessedAt = readTime(header, ACCESSED)): Meta {
  const ttlUs = readTime(header, TTL_US);
  return {
    index: header.readUIntBE(INDEX, INDEX_BYTES),
    ttlNs: ttlUs === 0 ? 0n : BigInt(ttlUs) * 1000n - BigInt(header.readUInt16BE(TTL_SPARE_NS)),
    accessedAt,
    createdAt: readTime(header, CREATED),
    updatedAt: readTime(header, UPDATED),
    salt: header.toString('hex', SALT, SALT + SALT_BYTES),
  };
}

/** The bytes of a time to live. */
export function encodeTtl(ttlNs: bigint): Buffer {
  const bytes = Buffer.alloc(TIME_BYTES + 2);
  if (ttlNs === 0n) return bytes;
  let ttlUs = (ttlNs + 999n) / 1000n;
  // Past 285 years a double holds even numbers only.
  if (ttlUs > 2n ** 53n) ttlUs += ttlUs % 2n;
  writeTime(bytes, 0, Number(ttlUs));
  bytes.writeUInt16BE(Number(ttlUs * 1000n - ttlNs), TIME_BYTES);
  return bytes;
}

/** The bytes of a header that a version names; undefined for text that is no version of this engine. */
export function encodeVersion(version: string): Buffer | undefined {
  const match = /^([\da-z]{1,7})-([\da-z]{1,6})-([\da-z]{1,10})-([\da-f]{10})$/.exec(version);
  if (match === null) return undefined;
  const [high, low, index] = match.slice(1, 4).map((digits) => Number.parseInt(digits, 36));
  const createdAt = high! * 2 ** 28 + low!;
  if (createdAt >= 2 ** 53 || index! >= 2 ** 48) return undefined;
  const bytes = Buffer.alloc(VERSION_BYTES);
  writeTime(bytes, 0, createdAt);
  bytes.writeUIntBE(index!, TIME_BYTES, INDEX_BYTES);
  bytes.write(match[4]!, TIME_BYTES + INDEX_BYTES, 'hex');
  return bytes;
}

/** The time in seven bytes, in microseconds. */
export function readTime(bytes: Buffer, at: number): number {
  return bytes.readUInt8(at) * 2 ** 48 + bytes.readUIntBE(at + 1, 6);
}

function writeTime(bytes: Buffer, at: number, time: number): void {
  bytes.writeUInt8(Math.floor(time / 2 ** 48), at);
  bytes.writeUIntBE(time % 2 ** 48, at + 1, 6);
}
