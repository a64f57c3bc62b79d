import { expect, test } from 'vitest';

import { numbersOf } from '../../test/support/random.ts';
import {
  allKeys,
  deleting,
  Hand,
  key,
  loading,
  maintainAll,
  makeStore,
  MIB,
  SECOND_NS,
  serve,
  storing,
  valueOf,
} from '../../test/support/store.ts';
import { partitionOf } from '../base/partition.ts';
import type { Change } from '../record/change.ts';
import { keep } from '../record/reply.ts';
import { versionOf } from '../record/version.ts';
import type { Store } from './store.ts';
import { Claim, type RecordCopy } from './transfer.ts';

const PARTITIONS = 16;
const partition = (name: string): number => partitionOf(key(name), PARTITIONS);

/** A copy of a record that stays when the store goes on. */
function copyOf(store: Store, name: string): RecordCopy {
  const copy = store.transfer.copy(key(name), partition(name));
  if (copy === undefined) throw new Error(`there is no ${name}`);
  const { bytes, start, end } = copy.value;
  return {
    ...copy,
    value: { bytes: Buffer.from(bytes.subarray(start, end)), start: 0, end: end - start },
  };
}

function move(from: Store, to: Store, at: number): void {
  for (const group of from.transfer.keys(at)) {
    for (const name of group) {
      expect(to.transfer.arrive(from.transfer.copy(name, at)!, at)).toBeUndefined();
    }
  }
}

test('a partition that moves takes all its records along, each with its meta and its time', () => {
  // Two nodes whose clocks differ by an hour.
  const hand = new Hand();
  const far = new Hand();
  far.now += 3_600_000_000;
  const [from, to] = [makeStore(hand), makeStore(far)];
  const random = numbersOf(5);
  for (let at = 0; at < 5000; at++) {
    hand.now += 10;
    const ttlNs = at % 3 === 0 ? 60n * SECOND_NS : 0n;
    const name = `key:${Math.floor(random() * 3000)}`;
    serve(from, storing(name, `"${'v'.repeat(Math.floor(random() * 300))}"`, ttlNs));
    if (at % 5 === 0) serve(from, loading(name));
  }
  const names = allKeys(from).filter((name) => partition(name) === 3);
  const count = from.transfer.count(3);
  expect(names).toHaveLength(count);
  move(from, to, 3);
  expect(allKeys(to).toSorted()).toEqual(names.toSorted());
  expect(to.transfer.count(3)).toBe(count);
  // A block that a record shrank in is larger than it must be.
  expect(to.transfer.bytes(3)).toBeLessThanOrEqual(from.transfer.bytes(3));
  for (const name of names) {
    expect(readable(to, name)).toEqual(readable(from, name));
  }
  to.check();
  const expiring = names.find((name) => copyOf(from, name).leftUs < Infinity)!;
  const left = copyOf(from, expiring).leftUs;
  for (const _ of from.transfer.drop(3)) from.check();
  expect(from.transfer.count(3)).toBe(0);
  expect(from.transfer.bytes(3)).toBe(0);
  expect(allKeys(from).filter((name) => partition(name) === 3)).toEqual([]);
  from.check();
  far.now += left - 1;
  expect(serve(to, loading(expiring)).status).toBe('ok');
  far.now += 1;
  expect(serve(to, loading(expiring))).toMatchObject({ code: 'KEY_NOT_FOUND' });
});

function readable(store: Store, name: string): unknown {
  const { value, ...rest } = copyOf(store, name);
  return { ...rest, value: value.bytes.toString('utf8', value.start, value.end) };
}

test('a record lives for the time that it has left, whatever the clocks say', () => {
  const hand = new Hand();
  const far = new Hand();
  far.now += 5_000_000_000;
  const [from, to] = [makeStore(hand), makeStore(far)];
  serve(from, storing('key', '1', 10n * SECOND_NS));
  hand.now += 9_000_000;
  expect(to.transfer.arrive(copyOf(from, 'key'), partition('key'))).toBeUndefined();
  far.now += 999_999;
  expect(serve(to, loading('key'))).toMatchObject({ meta: { ttlNs: 10n * SECOND_NS } });
  far.now += 1;
  expect(serve(to, loading('key'))).toMatchObject({ code: 'KEY_NOT_FOUND' });
  maintainAll(to);
  to.check();
});

test('a copy never takes the place of a later version', () => {
  const hand = new Hand();
  const [from, to] = [makeStore(hand), makeStore(hand)];
  serve(from, storing('key', '"old"'));
  const old = copyOf(from, 'key');
  hand.now += 1;
  serve(from, storing('key', '"new"'));
  const later = copyOf(from, 'key');
  serve(from, deleting('key'));
  serve(from, storing('key', '"created again"'));
  const latest = copyOf(from, 'key');
  const at = partition('key');
  for (const [copy, text] of [
    [old, '"old"'],
    [later, '"new"'],
    [old, '"new"'],
    [latest, '"created again"'],
    [later, '"created again"'],
  ] as const) {
    expect(to.transfer.arrive(copy, at)).toBeUndefined();
    expect(valueOf(serve(to, loading('key')))).toBe(text);
  }
  to.check();
});

test('no creation time of a record that has arrived is given out again', () => {
  const hand = new Hand();
  const far = new Hand();
  far.now -= 500_000;
  const [from, to] = [makeStore(hand), makeStore(far)];
  serve(from, storing('key', '1'));
  expect(to.transfer.arrive(copyOf(from, 'key'), partition('key'))).toBeUndefined();
  const moved = keep(serve(to, loading('key')));
  serve(to, deleting('key'));
  const again = serve(to, storing('key', '1'));
  if (moved.status !== 'ok' || again.status !== 'ok') throw new Error('it is not there');
  expect(versionOf(again.meta)).not.toBe(versionOf(moved.meta));
  expect(again.meta.createdAt).toBeGreaterThan(moved.meta.createdAt);
});

test('sinks are told of what arrives, of what its owner removes, and of a partition that leaves', () => {
  const hand = new Hand();
  const [from, to] = [makeStore(hand), makeStore(hand)];
  const told: string[] = [];
  to.attach({
    apply: (change: Change) => {
      told.push(change.kind === 'clear' ? 'clear' : `${change.kind} ${change.cause}`);
    },
  });
  for (const name of ['{t}a', '{t}b', '{t}c']) serve(from, storing(name, '1'));
  const at = partition('{t}a');
  move(from, to, at);
  expect(to.transfer.remove(key('{t}a'), at, 'delete')).toBeUndefined();
  expect(to.transfer.remove(key('{t}a'), at, 'delete')).toBeUndefined();
  for (const _ of to.transfer.drop(at));
  expect(told).toEqual(['put arrive', 'put arrive', 'put arrive', 'remove delete', 'clear']);
  expect(to.stats().records).toBe(0);
  to.check();
});

test('what arrives has the memory that is reserved for it, and is not evicted', () => {
  const value = `"${'v'.repeat(500)}"`;
  const from = makeStore(new Hand());
  for (let at = 0; at < 500; at++) serve(from, storing(`{t}${at}`, value));
  const at = partition('{t}0');
  expect(partition('{o}0')).not.toBe(at);
  const to = makeStore(new Hand(), { maxMemoryBytes: MIB });
  const claim = to.transfer.claim(from.transfer.bytes(at));
  if (!(claim instanceof Claim)) throw new Error(claim.detail);
  let stored = 0;
  while (serve(to, storing(`{o}${stored}`, value)).status === 'ok') stored++;
  expect(stored).toBeGreaterThan(500);
  claim.spend(() => move(from, to, at));
  expect(to.transfer.count(at)).toBe(500);
  claim.release();
  expect(to.transfer.claim(MIB)).toMatchObject({ code: 'MEMORY_FULL' });

  const lru = makeStore(new Hand(), { maxMemoryBytes: MIB, eviction: 'lru' });
  lru.transfer.spare(at, true);
  move(from, lru, at);
  for (let next = 0; next < 5000; next++) serve(lru, storing(`{o}${next}`, value));
  expect(lru.transfer.count(at)).toBe(500);
  lru.transfer.spare(at, false);
  for (let next = 0; next < 5000; next++) serve(lru, storing(`{o}${next}`, value));
  expect(lru.transfer.count(at)).toBeLessThan(100);
  lru.check();
});

test('what has no memory does not arrive, and is said so', () => {
  const from = makeStore(new Hand());
  const to = makeStore(new Hand(), { maxMemoryBytes: MIB });
  serve(from, storing('key', `"${'v'.repeat(2 * MIB)}"`));
  expect(to.transfer.arrive(copyOf(from, 'key'), partition('key'))).toMatchObject({
    code: 'MEMORY_FULL',
  });
  expect(to.stats().records).toBe(0);
  to.check();
});
