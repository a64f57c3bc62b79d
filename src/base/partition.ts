/** The partition that a key belongs to. */

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

/** As {@link partitionOf}, of the key in the bytes `start` to `end`. */
export function partitionOfBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  partitions: number,
): number {
  const open = indexOf(bytes, OPEN, start, end);
  const close = indexOf(bytes, CLOSE, open, end);
  const isTagged = close > open + 1 && close < end;
  const until = isTagged ? close : end;
  let crc = 0;
  for (let at = isTagged ? open + 1 : start; at < until; at++) crc = crcStep(crc, bytes[at]!);
  return crc % partitions;
}

const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Where a byte is first from `start` on; `end` if it is not before that. */
function indexOf(bytes: Uint8Array, byte: number, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== byte) at++;
  return at;
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
