/** Whether the log files of a LevelDB are whole: LevelDB itself passes over what is damaged in them. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

// A log is blocks of 32 KiB. A record in a block is a masked CRC-32C of type and payload (u32), the
// length of the payload (u16) and a type (u8), then the payload; up to six bytes at the end of a block
// are zeros. Numbers are little-endian. (LevelDB, doc/log_format.md)

const BLOCK_BYTES = 32_768;
const HEADER_BYTES = 7;
const MASK = 0xa2_82_ea_d8;

/** So many zeros at the end of a record say that the machine failed before it had been written out. */
const UNWRITTEN_BYTES_MIN = 64;

/** The names of the log files in the directory of a LevelDB. */
export async function logFiles(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names.filter((name) => name.endsWith('.log')).map((name) => join(directory, name));
}

/**
 * The first log file with a record that is not as it was written; undefined if there is none. A record
 * that is cut short by the end of the file was being written when the process ended, and is none.
 */
export async function findDamagedLog(directory: string): Promise<string | undefined> {
  for (const file of await logFiles(directory)) {
    if (!isWhole(await readFile(file))) return file;
  }
  return undefined;
}

function isWhole(log: Buffer): boolean {
  for (let block = 0; block < log.length; block += BLOCK_BYTES) {
    const end = Math.min(block + BLOCK_BYTES, log.length);
    for (let at = block; at + HEADER_BYTES <= end; ) {
      const length = log.readUInt16LE(at + 4);
      const next = at + HEADER_BYTES + length;
      if (next > log.length) break;
      const isSound = next <= end && unmask(log.readUInt32LE(at)) === crc32c(log, at + 6, next);
      if (!isSound) {
        if (!isUnwritten(log, at, Math.min(next, end))) return false;
        break;
      }
      at = next;
    }
  }
  return true;
}

/** Whether what should be a record ends in zeros, which no record does. */
function isUnwritten(log: Buffer, start: number, end: number): boolean {
  const from = Math.max(start, end - UNWRITTEN_BYTES_MIN);
  return log.subarray(from, end).every((byte) => byte === 0);
}

function unmask(masked: number): number {
  const rotated = (masked - MASK) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

/** Of each byte alone: Castagnoli's polynomial, reversed. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82_f6_3b_78 : 0);
  return crc;
});

function crc32c(bytes: Buffer, start: number, end: number): number {
  let crc = 0xffffffff;
  for (let at = start; at < end; at++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}
