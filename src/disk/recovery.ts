/** Recovery: reads the records of a data directory back. */

import { damaged, type DataDirectory, type Records } from './directory.ts';
import { readEntry, type PlacedRecord } from './format.ts';

/** Entries that are read at a time, and bytes of LevelDB's read-ahead. */
const PIECE_ENTRIES = 1000;
const READ_AHEAD_BYTES = 1024 * 1024;

/**
 * All records of a directory as they were when this began, in pieces. Those that have expired are
 * among them.
 *
 * @throws Error that says in a line what is damaged.
 */
export async function* readRecords({
  path,
  records,
}: DataDirectory): AsyncGenerator<PlacedRecord[]> {
  for await (const entries of readEntries(records, path)) {
    yield entries.map(([name, entry]) => {
      const found = readEntry(name, entry);
      if (found === undefined) {
        throw damaged(
          path,
          `the record ${JSON.stringify(name.toString('latin1', 2))} is not as it was written`,
        );
      }
      return found;
    });
  }
}

/** The entries as they are when this is called, in the order of their names. */
export function readEntries(records: Records, path: string): AsyncGenerator<Entries> {
  const iterator = records.iterator({ highWaterMarkBytes: READ_AHEAD_BYTES, fillCache: false });
  return readAll(iterator, path);
}

type Entries = [name: Buffer, entry: Buffer][];

interface EntryIterator {
  nextv(count: number): Promise<Entries>;
  close(): Promise<void>;
}

async function* readAll(iterator: EntryIterator, path: string): AsyncGenerator<Entries> {
  const read = (): Promise<Entries> => {
    const piece = iterator.nextv(PIECE_ENTRIES);
    // It is looked at later, or by nobody if the reader has enough.
    piece.catch(() => {});
    return piece;
  };
  try {
    let next = read();
    for (;;) {
      const entries = await next;
      if (entries.length === 0) return;
      // LevelDB reads on in a thread of its own while these are put to use.
      next = read();
      yield entries;
    }
  } catch (error) {
    throw damaged(path, error instanceof Error ? error.message : String(error), error);
  } finally {
    await iterator.close();
  }
}
