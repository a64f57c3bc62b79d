import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

import { numbersOf } from '../../test/support/random.ts';
import type { Key } from '../base/key.ts';
import { NO_META } from '../record/reply.ts';
import { DataDirectory, type NewIdentity } from './directory.ts';
import { entryName, entryOf, type PlacedRecord } from './format.ts';
import { readRecords } from './recovery.ts';

const PARTITIONS = 16;
const RECORDS = 400;

const made: string[] = [];

afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true });
});

function newPath(): string {
  const path = mkdtempSync(join(tmpdir(), 'memhashd-disk-'));
  made.push(path);
  return path;
}

function recordOf(at: number): PlacedRecord {
  const bytes = Buffer.from(`{"number":${at},"text":"${'v'.repeat(at)}"}`);
  const value = { bytes, start: 0, end: bytes.length };
  const meta = { ...NO_META, index: 1, createdAt: 1000 + at };
  return {
    partition: at % PARTITIONS,
    record: { key: `key:${at}` as Key, meta, value, deadline: Infinity },
  };
}

/** A directory with records of which some are in a table and some in the log. */
async function filled(): Promise<string> {
  const path = newPath();
  const directory = await DataDirectory.open(path, newIdentity('node'));
  for (let at = 0; at < RECORDS; at++) {
    const { partition, record } = recordOf(at);
    const name = entryName(partition, record.key);
    await directory.records.put(name, entryOf(name, record));
    if (at === RECORDS / 2) await directory.records.compactRange(Buffer.of(0), Buffer.of(255));
  }
  await directory.close();
  return path;
}

async function read(path: string): Promise<PlacedRecord[]> {
  const directory = await DataDirectory.open(path, newIdentity('another'));
  try {
    const found: PlacedRecord[] = [];
    for await (const records of readRecords(directory)) found.push(...records);
    return found;
  } finally {
    await directory.close();
  }
}

test('a directory keeps the id of its node, and what its cluster wants to be remembered', async () => {
  const path = newPath();
  const first = await DataDirectory.open(path, newIdentity('first'));
  expect(first.identity).toMatchObject({ format: 1, id: 'first', topology: null });
  await first.keepTopology({ epoch: 3 });
  await first.close();
  const second = await DataDirectory.open(path, newIdentity('second'));
  expect(second.identity).toEqual({
    format: 1,
    partitions: PARTITIONS,
    id: 'first',
    hashKey: [1, 2],
    topology: { epoch: 3 },
  });
  await second.close();
});

test('what is written is read, from the log and from tables', async () => {
  const found = await read(await filled());
  expect(found).toHaveLength(RECORDS);
  for (const { record } of found) {
    const at = record.meta.createdAt - 1000;
    const { value } = record;
    const text = value.bytes.toString('utf8', value.start, value.end);
    expect(JSON.parse(text)).toMatchObject({ number: at });
  }
});

const refusals: [string, RegExp, (path: string) => void][] = [
  ['a newer format', /has format 2.*newer/, (path) => identify(path, { format: 2 })],
  ['another num-partitions', /-num-partitions 8/, (path) => identify(path, { partitions: 8 })],
  ['an identity that is none', /damaged: node.json/, (path) => write(path, 'node.json', '{"form')],
  ['no identity', /no node.json: give it an empty/, (path) => rmSync(join(path, 'node.json'))],
  ['no records', /damaged/, (path) => rmSync(join(path, 'records'), { recursive: true })],
  ['records without CURRENT', /damaged/, (path) => rmSync(join(path, 'records', 'CURRENT'))],
  [
    'a table that is gone',
    /damaged/,
    (path) => rmSync(join(path, 'records', fileOf(path, '.ldb'))),
  ],
];

test.each(refusals)('a directory with %s is refused, and not changed', async (_, reason, harm) => {
  const path = await filled();
  harm(path);
  const before = listing(path);
  await expect(read(path)).rejects.toThrow(reason);
  expect(listing(path).filter((name) => !/LOCK|LOG/.test(name))).toEqual(
    before.filter((name) => !/LOCK|LOG/.test(name)),
  );
});

test('a directory that is made is for its owner only', async () => {
  const path = join(newPath(), 'made');
  const directory = await DataDirectory.open(path, newIdentity('node'));
  await directory.close();
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(statSync(join(path, 'node.json')).mode & 0o777).toBe(0o600);
});

test('a directory that another process uses is refused', async () => {
  const path = newPath();
  const first = await DataDirectory.open(path, newIdentity('first'));
  await expect(DataDirectory.open(path, newIdentity('second'))).rejects.toThrow(/another process/);
  await first.close();
});

test('a directory with files of somebody else is refused', async () => {
  const path = newPath();
  mkdirSync(join(path, 'lost+found'));
  const directory = await DataDirectory.open(path, newIdentity('node'));
  await directory.close();
  const other = newPath();
  write(other, 'thesis.txt', 'chapter 1');
  await expect(read(other)).rejects.toThrow(/other files/);
});

test('a log that is cut short loses its end and nothing else', async () => {
  const path = await filled();
  const log = join(path, 'records', fileOf(path, '.log'));
  truncateSync(log, readFileSync(log).length - 1000);
  const found = await read(path);
  expect(found.length).toBeGreaterThan(RECORDS / 2);
  expect(found.length).toBeLessThan(RECORDS);
  const numbers = found.map(({ record }) => record.meta.createdAt - 1000).toSorted((a, b) => a - b);
  expect(numbers).toEqual(Array.from({ length: found.length }, (_, at) => at));
});

test('a file with a bit that is flipped is refused, or everything in it is as it was', async () => {
  const path = await filled();
  const random = numbersOf(17);
  const files = ['.ldb', '.log'].map((end) => fileOf(path, end));
  files.push(readdirSync(join(path, 'records')).find((name) => name.startsWith('MANIFEST'))!);
  let refused = 0;
  for (let round = 0; round < Number(process.env.ROUNDS ?? 30); round++) {
    const copy = newPath();
    cpSync(path, copy, { recursive: true });
    const file = join(copy, 'records', files[round % files.length]!);
    const bytes = readFileSync(file);
    const at = Math.floor(random() * bytes.length);
    bytes[at] = bytes[at]! ^ (1 << Math.floor(random() * 8));
    writeFileSync(file, bytes);
    const found = await read(copy).catch((error: Error) => error);
    if (found instanceof Error) {
      refused++;
      if (!/damaged/.test(found.message)) throw found;
    } else if (found.length !== RECORDS) {
      console.log(file, at, bytes.length, found.length);
      throw new Error(`${file}, byte ${at} of ${bytes.length}: ${found.length} records are left`);
    }
  }
  expect(refused).toBeGreaterThan(0);
});

function identify(path: string, change: object): void {
  const text = readFileSync(join(path, 'node.json'), 'utf8');
  write(path, 'node.json', JSON.stringify({ ...JSON.parse(text), ...change }));
}

function write(path: string, name: string, text: string): void {
  writeFileSync(join(path, name), text);
}

function fileOf(path: string, end: string): string {
  return readdirSync(join(path, 'records')).find((name) => name.endsWith(end))!;
}

function listing(path: string): string[] {
  return readdirSync(path, { recursive: true }).map(String).toSorted();
}

function newIdentity(id: string): NewIdentity {
  return { partitions: PARTITIONS, id, hashKey: [1, 2] };
}
