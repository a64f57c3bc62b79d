/**
 * Whether the files of a LevelDB are as they were written. LevelDB itself passes over what is damaged
 * in a log, trusts what it reads of tables, and so loses records in silence.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { crc32c, unmask } from './crc32c.ts';
import { logFiles, readLog } from './level-log.ts';

/**
 * Reads every file that a LevelDB would go by. It must have been written without compression.
 *
 * @throws Error that says which file is missing or damaged.
 */
export async function checkLevel(directory: string): Promise<void> {
  const current = await readFile(join(directory, 'CURRENT'), 'latin1');
  const manifest = join(directory, current.trimEnd());
  const tables = await within(manifest, async () => liveTables(await readFile(manifest)));
  for (const [number, sizeBytes] of tables) {
    const table = join(directory, `${String(number).padStart(6, '0')}.ldb`);
    await within(table, async () => checkTable(await readFile(table), sizeBytes));
  }
  for (const log of await logFiles(directory)) {
    await within(log, async () => void [...readLog(await readFile(log))].length);
  }
}

/** Says which file an error is about. */
async function within<T>(file: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** Reads numbers of seven bits a byte, the lowest first, and what they measure. */
class Fields {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes.readUInt8(this.#at++);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  skip(bytes = this.number()): void {
    this.#at += bytes;
  }
}

/** The kinds of a change of the set of tables; each is a number and its fields. */
const COMPARATOR = 1;
const COMPACT_POINTER = 5;
const DELETED_TABLE = 6;
const NEW_TABLE = 7;

/** The tables that a manifest leads to, with their sizes: those that were added and not taken away. */
function liveTables(manifest: Buffer): Map<number, number> {
  const tables = new Map<number, number>();
  for (const edit of readLog(manifest)) {
    const fields = new Fields(edit);
    while (!fields.isAtEnd) {
      const kind = fields.number();
      if (kind === COMPARATOR) fields.skip();
      else if (kind === COMPACT_POINTER) {
        fields.number();
        fields.skip();
      } else if (kind === DELETED_TABLE) {
        fields.number();
        tables.delete(fields.number());
      } else if (kind === NEW_TABLE) {
        fields.number();
        tables.set(fields.number(), fields.number());
        fields.skip();
        fields.skip();
      } else fields.number();
    }
  }
  return tables;
}

const FOOTER_BYTES = 48;
const MAGIC = 0xdb_47_75_24_8b_80_fb_57n;

/** After each block: how it is compressed, 0 for not at all, and a masked CRC of it and this. */
const TRAILER_BYTES = 5;

/** Where a block is. */
interface Handle {
  readonly start: number;
  readonly end: number;
}

/** Every block of a table, by its index. */
function checkTable(table: Buffer, sizeBytes: number): void {
  if (table.length !== sizeBytes) throw new Error(`it has ${table.length} bytes, not ${sizeBytes}`);
  const footer = table.length - FOOTER_BYTES;
  if (table.readBigUInt64LE(table.length - 8) !== MAGIC) throw new Error('it has no end');
  const fields = new Fields(table, footer);
  checkBlock(table, readHandle(fields));
  const index = readHandle(fields);
  checkBlock(table, index);
  for (const handle of handlesIn(table.subarray(index.start, index.end))) checkBlock(table, handle);
}

function checkBlock(table: Buffer, { start, end }: Handle): void {
  const isSound =
    end + TRAILER_BYTES <= table.length &&
    table.readUInt8(end) === 0 &&
    unmask(table.readUInt32LE(end + 1)) === crc32c(table, start, end + 1);
  if (!isSound) throw new Error(`it is not as it was written from byte ${start} on`);
}

function readHandle(fields: Fields): Handle {
  const start = fields.number();
  return { start, end: start + fields.number() };
}

/**
 * The handles in an index: entries of three lengths, the rest of a key and a handle, then the places (u32)
 * where keys are whole, and their number (u32).
 */
function* handlesIn(index: Buffer): Generator<Handle> {
  const restarts = index.readUInt32LE(index.length - 4);
  const entries = index.subarray(0, index.length - 4 * (restarts + 1));
  for (const fields = new Fields(entries); !fields.isAtEnd; ) {
    fields.number();
    const restOfKey = fields.number();
    fields.number();
    fields.skip(restOfKey);
    yield readHandle(fields);
  }
}
