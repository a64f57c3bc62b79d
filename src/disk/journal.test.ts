import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

import { eventually } from '../../test/support/eventually.ts';
import { SteppedTimers } from '../../test/support/stepped-timers.ts';
import { numbersOf } from '../../test/support/random.ts';
import {
  deleting,
  Hand,
  loading,
  makeStore,
  SECOND_NS,
  storing,
} from '../../test/support/store.ts';
import { systemTimers } from '../base/timers.ts';
import { partitionOf as partitionOfKey } from '../base/partition.ts';
import { keep } from '../record/reply.ts';
import type { Store } from '../store/store.ts';
import { DataDirectory, type NewIdentity } from './directory.ts';
import { Journal, type FsyncMode, type JournalOptions } from './journal.ts';
import { readRecords } from './recovery.ts';

const PARTITIONS = 16;

const made: string[] = [];
const opened: Journal[] = [];

afterEach(async () => {
  for (const journal of opened.splice(0)) await journal.close();
  for (const path of made.splice(0)) rmSync(path, { recursive: true });
});

function newPath(): string {
  const path = mkdtempSync(join(tmpdir(), 'memhashd-disk-'));
  made.push(path);
  return path;
}

/** A store whose changes are written to a directory, with what was there before. */
async function durable(
  path: string,
  fsync: FsyncMode,
  options: Partial<JournalOptions> = {},
  hand = new Hand(),
): Promise<{ store: Store; journal: Journal }> {
  const directory = await DataDirectory.open(path, newIdentity('node'));
  const store = makeStore(hand, { partitions: PARTITIONS });
  const journal = new Journal({
    directory,
    fsync,
    fsyncIntervalMs: 1000,
    timers: systemTimers,
    onState: () => {},
    ...options,
  });
  opened.push(journal);
  store.attach(journal);
  for await (const records of readRecords(directory)) {
    for (const { partition, record } of records) {
      const copy = { ...record, leftUs: record.deadline - hand.now };
      expect(await store.transfer.arrive(copy, partition)).toBeUndefined();
    }
  }
  journal.begin();
  return { store, journal };
}

async function loaded(store: Store, name: string): Promise<unknown> {
  const reply = keep(await store.serve(loading(name)));
  if (reply.status !== 'ok' || reply.value === undefined) return undefined;
  return { ...reply.meta, accessedAt: 0, text: reply.value.bytes.toString('utf8') };
}

test('what was stored is there after a restart, with its meta and its deadline', async () => {
  const path = newPath();
  const hand = new Hand();
  const first = await durable(path, 'none', {}, hand);
  const random = numbersOf(3);
  for (let at = 0; at < 3000; at++) {
    hand.now += 10;
    const name = `key:${Math.floor(random() * 1000)}`;
    const ttlNs = random() < 0.5 ? 100n * SECOND_NS : 0n;
    await first.store.serve(
      random() < 0.2 ? deleting(name) : storing(name, `"${'v'.repeat(random() * 500)}"`, ttlNs),
    );
  }
  await first.store.serve(storing('short', '1', SECOND_NS));
  const names = Array.from({ length: 1000 }, (_, at) => `key:${at}`);
  const before = await Promise.all(names.map((name) => loaded(first.store, name)));
  await first.journal.close();

  hand.now += 1_000_000;
  const second = await durable(path, 'none', {}, hand);
  expect(await Promise.all(names.map((name) => loaded(second.store, name)))).toEqual(before);
  expect(await loaded(second.store, 'short')).toBeUndefined();
  hand.now += 100_000_000;
  const stays = before.filter((state) => (state as { ttlNs: bigint } | undefined)?.ttlNs === 0n);
  expect([...second.store.list({ prefix: '' as never })].flat()).toHaveLength(stays.length);
  second.store.check();
});

test('an access alone is not written', async () => {
  const path = newPath();
  const first = await durable(path, 'none');
  await first.store.serve(storing('key', '1'));
  await first.journal.flush();
  const sizes = (): number[] =>
    readdirSync(join(path, 'records')).map(
      (name) => readFileSync(join(path, 'records', name)).length,
    );
  const before = sizes();
  await first.store.serve(loading('key'));
  await first.journal.flush();
  expect(sizes()).toEqual(before);
});

test('with always an answer comes when the change is on disk, one sync for all of a turn', async () => {
  const path = newPath();
  const { store } = await durable(path, 'always');
  const replies = Array.from({ length: 64 }, (_, at) => store.serve(storing(`key:${at}`, '1')));
  expect(replies.every((reply) => reply instanceof Promise)).toBe(true);
  for (const reply of replies) await reply;
  // What LevelDB has synced is in its log; a copy of that is a machine that fails now.
  const copy = newPath();
  cpSync(path, copy, { recursive: true });
  const { store: again } = await durable(copy, 'always');
  expect(again.stats().records).toBe(64);
});

test.each(['interval', 'none'] as const)('with %s an answer does not wait', async (fsync) => {
  const { store } = await durable(newPath(), fsync);
  expect(store.serve(storing('key', '1'))).not.toBeInstanceOf(Promise);
});

test.each(['interval', 'none'] as const)(
  'with %s a change is written 10 ms after its answer, so that the end of the process does not lose it',
  async (fsync) => {
    const path = newPath();
    const timers = new SteppedTimers();
    const { store } = await durable(path, fsync, { timers });
    await store.serve(storing('key', '"told"'));
    await timers.step(9);
    expect(logOf(path)).not.toContain('"told"');
    await timers.step(1);
    await eventually(() => expect(logOf(path)).toContain('"told"'));
  },
);

/** What LevelDB has handed to the system, which has it also when the process ends. */
function logOf(path: string): string {
  const records = join(path, 'records');
  const logs = readdirSync(records).filter((name) => name.endsWith('.log'));
  return logs.map((name) => readFileSync(join(records, name), 'latin1')).join('');
}

test('with interval a machine that fails loses at most what was stored in the last interval', async () => {
  const path = newPath();
  const timers = new SteppedTimers();
  const synced = new Map<string, number>();
  const syncFile = async (name: string): Promise<void> =>
    void synced.set(name, statSync(name).size);
  const { store, journal } = await durable(path, 'interval', { timers, syncFile });
  const written = async (): Promise<void> => {
    const flushed = journal.flush();
    await timers.settle();
    await flushed;
  };
  for (let at = 0; at < 100; at++) await store.serve(storing(`early ${at}`, '1'));
  await written();
  await timers.step(999);
  expect(synced.size).toBe(0);
  await timers.step(1);
  await eventually(() => expect(synced.size).toBe(1));
  for (let at = 0; at < 100; at++) await store.serve(storing(`late ${at}`, '1'));
  await written();

  const failed = newPath();
  cpSync(path, failed, { recursive: true });
  for (const [name, sizeBytes] of synced) {
    truncateSync(join(failed, 'records', basename(name)), sizeBytes);
  }
  const again = await durable(failed, 'none');
  const keys = [...again.store.list({ prefix: '' as never })].flat();
  expect(keys.toSorted()).toEqual(Array.from({ length: 100 }, (_, at) => `early ${at}`).toSorted());
});

test('a partition that has left is gone from disk, and what came after it is there', async () => {
  const path = newPath();
  const first = await durable(path, 'none');
  for (let at = 0; at < 100; at++) await first.store.serve(storing(`{left}${at}`, '1'));
  for (let at = 0; at < 100; at++) await first.store.serve(storing(`{stays}${at}`, '1'));
  const names = [...first.store.transfer.keys(partitionOf('{left}0'))].flat();
  expect(names).toHaveLength(100);
  for (const _ of first.store.transfer.drop(partitionOf('{left}0')));
  await first.store.serve(storing('{left}again', '1'));
  await first.journal.close();
  const second = await durable(path, 'none');
  expect(second.store.stats().records).toBe(101);
});

function partitionOf(name: string): number {
  return partitionOfKey(name as never, PARTITIONS);
}

function newIdentity(id: string): NewIdentity {
  return { partitions: PARTITIONS, id, hashKey: [1, 2] };
}
