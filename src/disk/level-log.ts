/** The log files of LevelDB, which itself passes over what is damaged in them. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { crc32c, unmask } from './crc32c.ts';

// A log is blocks of 32 KiB. A piece in a block is a masked CRC of type and payload (u32), the length of
// the payload (u16) and a type (u8), then the payload; up to six bytes at the end of a block are zeros. A
// record is one piece of type 1, or pieces of the types 2, 3 ..., 4. Numbers are little-endian.

const BLOCK_BYTES = 32_768;
const HEADER_BYTES = 7;
const WHOLE = 1;
const FIRST = 2;
const LAST = 4;

/** So many zeros at the end of a piece say that the machine failed before it had been written out. */
const UNWRITTEN_BYTES_MIN = 64;

/** The names of the log files in the directory of a LevelDB. */
export async function logFiles(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names.filter((name) => name.endsWith('.log')).map((name) => join(directory, name));
}

/**
 * The records of a log. One that is cut short by the end of the file was being written when the process
 * ended, and is none.
 *
 * @throws Error that says where the log is not as it was written.
 */
export function* readLog(log: Buffer): Generator<Buffer> {
  let pieces: Buffer[] = [];
  for (const { type, payload } of readPieces(log)) {
    if (type === WHOLE || type === FIRST) pieces = [];
    pieces.push(payload);
    if (type === WHOLE || type === LAST) yield Buffer.concat(pieces);
  }
}

interface Piece {
  readonly type: number;
  readonly payload: Buffer;
}

function* readPieces(log: Buffer): Generator<Piece> {
  for (let block = 0; block < log.length; block += BLOCK_BYTES) {
    const end = Math.min(block + BLOCK_BYTES, log.length);
    for (let at = block; at + HEADER_BYTES <= end; ) {
      const next = at + HEADER_BYTES + log.readUInt16LE(at + 4);
      if (next > log.length) break;
      const isSound = next <= end && unmask(log.readUInt32LE(at)) === crc32c(log, at + 6, next);
      if (!isSound && isUnwritten(log, at, Math.min(next, end))) break;
      if (!isSound) throw new Error(`the log is not as it was written at byte ${at}`);
      yield { type: log.readUInt8(at + 6), payload: log.subarray(at + HEADER_BYTES, next) };
      at = next;
    }
  }
}

/** Whether what should be a piece ends in zeros, which no piece does. */
function isUnwritten(log: Buffer, start: number, end: number): boolean {
  return log.subarray(Math.max(start, end - UNWRITTEN_BYTES_MIN), end).every((byte) => byte === 0);
}
