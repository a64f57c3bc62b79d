/** The partition that a key belongs to. */

import type { Range } from './json/range.ts';
import type { Key } from './key.ts';

/**
 * The partition of a key: CRC-16/XMODEM modulo `partitions`, as Redis Cluster's key slot. If the key
 * has a hash tag, a `{`, at least one byte and the next `}`, only the bytes between them count, so
 * that users can keep related keys together.
 *
 * @example partitionOf('{user1}.name', 16_384) === partitionOf('{user1}.mail', 16_384)
 */
export function partitionOf(key: Key, partitions: number): number {
  const open = key.indexOf('{');
  if (open >= 0) {
    const close = key.indexOf('}', open);
    if (close > open + 1) return crc16(key, open + 1, close) % partitions;
  }
  return crc16(key, 0, key.length) % partitions;
}

/** As {@link partitionOf}, of the key in a range of bytes. */
export function partitionOfRange(bytes: DataView, key: Range, partitions: number): number {
  const { start, end } = tagIn(bytes, key);
  let crc = 0;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word = bytes.getInt32(at, true);
    crc =
      CRC16_TABLE_3[(crc >> 8) ^ (word & 0xff)]! ^
      CRC16_TABLE_2[(crc & 0xff) ^ ((word >> 8) & 0xff)]! ^
      CRC16_TABLE_1[(word >> 16) & 0xff]! ^
      CRC16_TABLE[word >>> 24]!;
  }
  for (; at < end; at++) crc = crcStep(crc, bytes.getUint8(at));
  return crc % partitions;
}

const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Where the bytes of a key lie that count. */
function tagIn(bytes: DataView, key: Range): Range {
  const open = indexOf(bytes, OPEN, key.start, key.end);
  if (open === key.end) return key;
  const close = indexOf(bytes, CLOSE, open, key.end);
  return close > open + 1 && close < key.end ? { start: open + 1, end: close } : key;
}

/** Where a byte is first from `start` on; `end` if it is not before that. */
function indexOf(bytes: DataView, byte: number, start: number, end: number): number {
  let at = start;
  while (at + 4 <= end && !hasByte(bytes.getInt32(at, true), byte)) at += 4;
  while (at < end && bytes.getUint8(at) !== byte) at++;
  return at;
}

/** Whether one of the four bytes of a word is this one: only a byte of zero borrows from the bit above it. */
function hasByte(word: number, byte: number): boolean {
  const difference = word ^ (byte * 0x01010101);
  return ((difference - 0x01010101) & ~difference & 0x80808080) !== 0;
}

/** The CRC of each byte alone: polynomial 0x1021, most significant bit first, nothing inverted. */
const CRC16_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0);
  return crc;
});

/** The CRC of each byte when one, two or three zero bytes follow it. */
const CRC16_TABLE_1 = CRC16_TABLE.map((crc) => crcStep(crc, 0));
const CRC16_TABLE_2 = CRC16_TABLE_1.map((crc) => crcStep(crc, 0));
const CRC16_TABLE_3 = CRC16_TABLE_2.map((crc) => crcStep(crc, 0));

function crcStep(crc: number, byte: number): number {
  return ((crc << 8) & 0xffff) ^ CRC16_TABLE[(crc >> 8) ^ byte]!;
}

/** Four bytes a step, whose look-ups need not wait for each other. */
function crc16(key: string, start: number, end: number): number {
  let crc = 0;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    crc =
      CRC16_TABLE_3[(crc >> 8) ^ key.charCodeAt(at)]! ^
      CRC16_TABLE_2[(crc & 0xff) ^ key.charCodeAt(at + 1)]! ^
      CRC16_TABLE_1[key.charCodeAt(at + 2)]! ^
      CRC16_TABLE[key.charCodeAt(at + 3)]!;
  }
  for (; at < end; at++) crc = crcStep(crc, key.charCodeAt(at));
  return crc;
}
