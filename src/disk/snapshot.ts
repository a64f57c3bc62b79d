/** Snapshots: all records of a node as they were at one moment, in a file. */

import { mkdir, open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { KEY_BYTES_MAX, SNAPSHOT_PIECE_BYTES, VALUE_BYTES_MAX } from '../base/limits.ts';
import { replaceFile, type DataDirectory } from './directory.ts';
import { ENTRY_OVERHEAD_BYTES, FORMAT, readEntry, type PlacedRecord } from './format.ts';
import { readEntries } from './recovery.ts';

// A snapshot is a line of JSON that says what it is, then for each record the length of its name (u16)
// and of its entry (u32), both as they are in the journal, and at the end a name of no bytes and the
// number of records (u32). Numbers are little-endian.

const DIRECTORY = 'snapshots';
const END = '.snapshot';
const LENGTHS_BYTES = 6;
const HEAD_BYTES_MAX = 1024;
const NAME_BYTES_MAX = KEY_BYTES_MAX + 2;
const ENTRY_BYTES_MAX = VALUE_BYTES_MAX + ENTRY_OVERHEAD_BYTES;

/** What was written. */
export interface SnapshotFacts {
  readonly file: string;
  readonly records: number;
  readonly bytes: number;
}

/**
 * Writes the records that a directory has now, while it is written to, and removes the oldest snapshots
 * but for `kept`. Those that have expired may be among them.
 */
export async function writeSnapshot(
  directory: DataDirectory,
  takenAt: Date,
  kept: number,
): Promise<SnapshotFacts> {
  const { path, identity, records } = directory;
  // From here on the entries are those of this moment.
  const entries = readEntries(records, path);
  const folder = join(path, DIRECTORY);
  const name = `${takenAt.toISOString().replaceAll(':', '-')}${END}`;
  await mkdir(folder, { recursive: true });
  const { partitions, id: node } = identity;
  const head = { snapshot: 'memhashd', format: FORMAT, partitions, node, taken_at: takenAt };
  let written = { records: 0, bytes: 0 };
  await replaceFile(folder, name, async (file) => {
    written = await writeEntries(file, `${JSON.stringify(head)}\n`, entries);
  });
  await removeOldest(folder, kept);
  return { file: join(folder, name), ...written };
}

async function writeEntries(
  file: FileHandle,
  head: string,
  entries: AsyncIterable<[name: Buffer, entry: Buffer][]>,
): Promise<{ records: number; bytes: number }> {
  const written = { records: 0, bytes: 0 };
  const write = async (pieces: Buffer[]): Promise<void> => {
    const bytes = Buffer.concat(pieces);
    written.bytes += bytes.length;
    await file.appendFile(bytes);
  };
  await write([Buffer.from(head)]);
  for await (const piece of entries) {
    written.records += piece.length;
    await write(
      piece.flatMap(([name, entry]) => [lengthsOf(name.length, entry.length), name, entry]),
    );
  }
  await write([lengthsOf(0, written.records)]);
  return written;
}

function lengthsOf(name: number, entry: number): Buffer {
  const lengths = Buffer.allocUnsafe(LENGTHS_BYTES);
  lengths.writeUInt16LE(name);
  lengths.writeUInt32LE(entry, 2);
  return lengths;
}

async function removeOldest(folder: string, kept: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(END));
  const oldest = names.toSorted((a, b) => (a < b ? -1 : 1)).slice(0, -kept);
  for (const name of oldest) await rm(join(folder, name), { force: true });
}

/**
 * The records of a snapshot, in pieces, those that have expired since included.
 *
 * @throws Error that says in a line what is wrong with the file.
 */
export async function* readSnapshot(path: string): AsyncGenerator<PlacedRecord[]> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${path} cannot be opened: ${error.code}`, { cause: error });
  });
  try {
    yield* readPieces(new Reader(file, path));
  } finally {
    await file.close();
  }
}

async function* readPieces(reader: Reader): AsyncGenerator<PlacedRecord[]> {
  const { snapshot, format } = await reader.head();
  if (snapshot !== 'memhashd') throw reader.error('it is no snapshot of memhashd');
  if (format !== FORMAT) {
    throw reader.error(`it has format ${String(format)}, and this memhashd knows ${FORMAT}`);
  }
  let records = 0;
  for (let piece: PlacedRecord[] = []; ; ) {
    const lengths = await reader.take(LENGTHS_BYTES);
    const [nameBytes, entryBytes] = [lengths.readUInt16LE(), lengths.readUInt32LE(2)];
    if (nameBytes === 0) {
      if (entryBytes !== records)
        throw reader.error(`${records} of ${entryBytes} records are left`);
      return yield piece;
    }
    if (nameBytes > NAME_BYTES_MAX || entryBytes > ENTRY_BYTES_MAX) throw reader.damage();
    const bytes = await reader.take(nameBytes + entryBytes);
    const found = readEntry(bytes.subarray(0, nameBytes), bytes.subarray(nameBytes));
    if (found === undefined) throw reader.damage();
    piece.push(found);
    records++;
    if (!reader.isEmpty) continue;
    yield piece;
    piece = [];
  }
}

/** Reads a file from its beginning to its end. */
class Reader {
  readonly #file: FileHandle;
  readonly #path: string;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /** Whether the next bytes must be read first. */
  get isEmpty(): boolean {
    return this.#bytes.length < LENGTHS_BYTES;
  }

  /** The first line. */
  async head(): Promise<{ snapshot?: unknown; format?: unknown }> {
    await this.#read(1);
    const end = this.#bytes.subarray(0, HEAD_BYTES_MAX).indexOf('\n');
    const line = await this.take(Math.max(end, 0) + 1);
    try {
      return JSON.parse(line.toString()) as { snapshot?: unknown; format?: unknown };
    } catch {
      throw this.error('it is no snapshot of memhashd');
    }
  }

  async take(count: number): Promise<Buffer> {
    if (this.#bytes.length < count) await this.#read(count - this.#bytes.length);
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  damage(): Error {
    return this.error('it is damaged');
  }

  error(what: string): Error {
    return new Error(`${this.#path} cannot be restored: ${what}`);
  }

  async #read(atLeast: number): Promise<void> {
    const chunk = Buffer.allocUnsafe(Math.max(atLeast, SNAPSHOT_PIECE_BYTES));
    let filled = 0;
    while (filled < atLeast) {
      const { bytesRead } = await this.#file.read(chunk, filled, chunk.length - filled);
      if (bytesRead === 0) throw this.error('its end is missing');
      filled += bytesRead;
    }
    this.#bytes = Buffer.concat([this.#bytes, chunk.subarray(0, filled)]);
  }
}
