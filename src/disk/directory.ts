/** A data directory: what kind of node it belongs to, and the LevelDB with the node's records. */

import { mkdir, open, readdir, readFile, rename, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClassicLevel } from 'classic-level';

import { LEVELDB_WRITE_BUFFER_BYTES } from '../base/limits.ts';
import { FORMAT } from './format.ts';
import { checkLevel } from './level-check.ts';

/** What a data directory says of itself, in `node.json`. */
export interface Identity {
  readonly format: number;
  readonly partitions: number;
  /** The id of the node. */
  readonly id: string;
  /** The key of the hash that keys are listed by: a list goes on after a restart. */
  readonly hashKey: readonly [number, number];
  /** What the cluster wants to be remembered; null if nothing. */
  readonly topology: unknown;
  /** Set until the directory has been made: there are no records yet. */
  readonly isNew?: true | undefined;
  /** The snapshot that the records are being restored from; not all of them are there. */
  readonly restoring?: string | undefined;
}

/** What a directory that is made anew is to say. */
export type NewIdentity = Pick<Identity, 'partitions' | 'id' | 'hashKey'>;

export type Records = ClassicLevel<Buffer, Buffer>;

const IDENTITY = 'node.json';
const RECORDS = 'records';

/** What a file system may put into an empty directory. */
const NOT_OURS_BUT_HARMLESS = ['lost+found'];

/** Of LevelDB. It begins to open when it is made, so they must all be there by then. */
const OPTIONS = {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  createIfMissing: false,
  writeBufferSize: LEVELDB_WRITE_BUFFER_BYTES,
  // `checkLevel` reads what is not compressed.
  compression: false,
} as const;

export class DataDirectory {
  readonly path: string;
  readonly records: Records;
  #identity: Identity;
  /** One write after the other. */
  #written: Promise<void> = Promise.resolve();

  private constructor(path: string, records: Records, identity: Identity) {
    this.path = path;
    this.records = records;
    this.#identity = identity;
  }

  /**
   * Opens a directory, or makes an empty one that of a new node.
   *
   * @throws Error that says in a line what is wrong with it and what to do.
   */
  static async open(path: string, made: NewIdentity): Promise<DataDirectory> {
    const identity: Identity = (await readIdentity(path)) ?? {
      format: FORMAT,
      ...made,
      topology: null,
      isNew: true,
    };
    checkIdentity(path, identity, made.partitions);
    if (identity.isNew) await writeIdentity(path, identity);
    const directory = new DataDirectory(path, await openRecords(path, identity), identity);
    if (identity.isNew) await directory.#change({ isNew: undefined });
    return directory;
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** Where the files of LevelDB are. */
  get recordsPath(): string {
    return join(this.path, RECORDS);
  }

  /** What the files of the LevelDB take, in bytes. */
  async bytes(): Promise<number> {
    const names = await readdir(this.recordsPath);
    const sizes = await Promise.all(
      // LevelDB removes files at any time.
      names.map((name) => stat(join(this.recordsPath, name)).catch(() => ({ size: 0 }))),
    );
    return sizes.reduce((sum, { size }) => sum + size, 0);
  }

  /** Remembers what the cluster wants to be remembered; it is on disk when this resolves. */
  async keepTopology(topology: unknown): Promise<void> {
    await this.#change({ topology });
  }

  /** Notes that records are being restored from a snapshot, or with undefined that they all are. */
  async noteRestoring(file: string | undefined): Promise<void> {
    await this.#change({ restoring: file });
  }

  /** Opens LevelDB once more, which then goes by what it finds on disk. */
  async reopen(): Promise<void> {
    await this.records.close();
    await this.records.open(OPTIONS);
  }

  async close(): Promise<void> {
    await this.#written.catch(() => {});
    await this.records.close();
  }

  async #change(
    change: Pick<Partial<Identity>, 'topology' | 'isNew' | 'restoring'>,
  ): Promise<void> {
    this.#identity = { ...this.#identity, ...change };
    this.#written = this.#written.then(() => writeIdentity(this.path, this.#identity));
    await this.#written;
  }
}

/** What a directory says of itself; undefined for one that is empty, or is not there and is made. */
async function readIdentity(path: string): Promise<Identity | undefined> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const names = (await readdir(path)).filter((name) => !NOT_OURS_BUT_HARMLESS.includes(name));
  if (names.length === 0 || (names.length === 1 && names[0] === newNameOf(IDENTITY))) {
    return undefined;
  }
  if (!names.includes(IDENTITY)) {
    throw new Error(`${path} holds other files, and no ${IDENTITY}: give it an empty directory`);
  }
  try {
    return parseIdentity(await readFile(join(path, IDENTITY), 'utf8'));
  } catch (error) {
    throw damaged(path, `${IDENTITY} cannot be read`, error);
  }
}

function parseIdentity(text: string): Identity {
  const { format, partitions, id, hashKey, ...rest } = JSON.parse(text) as Partial<Identity>;
  // A newer format may have other members: it is refused by its number.
  if (typeof format !== 'number') throw new TypeError('it has no format');
  if (typeof partitions !== 'number' || typeof id !== 'string' || !isHashKey(hashKey)) {
    if (format <= FORMAT) throw new TypeError('a member is missing');
  }
  return { topology: null, ...rest, format, partitions, id, hashKey } as Identity;
}

function isHashKey(found: unknown): boolean {
  return Array.isArray(found) && found.length === 2 && found.every(Number.isInteger);
}

function checkIdentity(path: string, { format, partitions }: Identity, wanted: number): void {
  if (format > FORMAT) {
    throw new Error(
      `${path} has format ${format}, and this memhashd knows formats up to ${FORMAT}: start a newer one`,
    );
  }
  if (partitions !== wanted) {
    throw new Error(
      `${path} was made with -num-partitions ${partitions}, and not ${wanted}: start with that, ` +
        'or restore a snapshot into an empty directory',
    );
  }
}

/** Replaces the identity as a whole: whatever happens, the old one or the new one is there. */
async function writeIdentity(path: string, identity: Identity): Promise<void> {
  await replaceFile(path, IDENTITY, async (file) => {
    await file.writeFile(`${JSON.stringify(identity)}\n`);
  });
}

/** Writes a file under another name, makes sure that it is on disk, and gives it its name. */
export async function replaceFile(
  directory: string,
  name: string,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(join(directory, newNameOf(name)), 'w', 0o600);
  try {
    await write(file);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(join(directory, newNameOf(name)), join(directory, name));
  const names = await open(directory);
  try {
    await names.sync();
  } finally {
    await names.close();
  }
}

function newNameOf(name: string): string {
  return `${name}.new`;
}

async function openRecords(path: string, { isNew }: Identity): Promise<Records> {
  const location = join(path, RECORDS);
  if (!isNew) await checkLevel(location).catch((error: Error) => fail(path, error));
  // Loaded here, so that a node without a directory does without it.
  const { ClassicLevel: Level } = await import('classic-level');
  const records: Records = new Level(location, { ...OPTIONS, createIfMissing: isNew === true });
  try {
    await records.open();
  } catch (error) {
    const { cause } = error as { cause?: { code?: unknown; message?: unknown } };
    if (cause?.code === 'LEVEL_LOCKED') {
      throw new Error(`${path} is in use by another process`, { cause: error });
    }
    throw damaged(path, String(cause?.message ?? error), error);
  }
  return records;
}

function fail(path: string, error: Error): never {
  throw damaged(path, error.message, error);
}

/** The error that says a directory must not be used. */
export function damaged(path: string, what: string, cause?: unknown): Error {
  return new Error(
    `${path} is damaged: ${what}. Nothing was changed. Start with an empty directory, and with ` +
      '-restore and a snapshot if there is one',
    { cause },
  );
}
