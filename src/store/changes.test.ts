import { expect, test } from 'vitest';

import {
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
} from '../../test/support/store.ts';
import { failure, type Failure } from '../base/errors.ts';
import type { Change, Sink } from '../record/change.ts';

/** Notes each change as a line of text. */
class Notes implements Sink {
  readonly lines: string[] = [];
  readonly numbers: number[] = [];
  refusal: Failure | undefined;
  promise: Promise<Failure | undefined> | undefined;

  apply(change: Change): void | Promise<Failure | undefined> {
    this.numbers.push(change.number);
    this.lines.push(lineOf(change));
    return this.promise;
  }
}

function lineOf(change: Change): string {
  if (change.kind === 'clear') return 'clear';
  if (change.kind === 'remove') return `${change.cause} ${change.key}`;
  const { key: name, value, meta, deadline } = change.record;
  const text = value.bytes.toString('utf8', value.start, value.end);
  return `${change.cause} ${name} ${text} index ${meta.index} until ${deadline}`;
}

test('a sink is told of each store and each removal, and why, and of no access', () => {
  const hand = new Hand();
  const store = makeStore(hand);
  const notes = new Notes();
  store.attach(notes);
  serve(store, storing('a', '1'));
  serve(store, storing('a', '"longer than before, so it moves to another block"'));
  serve(store, storing('b', '2', SECOND_NS));
  serve(store, loading('a'));
  serve(store, deleting('none'));
  serve(store, deleting('a'));
  hand.now += 1_000_000;
  serve(store, loading('b'));
  serve(store, storing('c', '3', SECOND_NS));
  hand.now += 2_000_000;
  maintainAll(store);
  expect(notes.lines).toEqual([
    'store a 1 index 1 until Infinity',
    'store a "longer than before, so it moves to another block" index 2 until Infinity',
    'store b 2 index 1 until 2000000',
    'delete a',
    'expire b',
    'store c 3 index 1 until 3000000',
    'expire c',
  ]);
  expect(notes.numbers).toEqual([1, 2, 3, 4, 5, 6, 7]);
  store.detach(notes);
  serve(store, storing('d', '4'));
  expect(notes.lines).toHaveLength(7);
  store.check();
});

test('a sink is told of what is evicted', () => {
  const store = makeStore(new Hand(), { maxMemoryBytes: MIB, eviction: 'lru' });
  const notes = new Notes();
  store.attach(notes);
  for (let at = 0; at < 3000; at++) serve(store, storing(`key:${at}`, `"${'v'.repeat(500)}"`));
  const evicted = notes.lines.filter((line) => line.startsWith('evict '));
  expect(evicted).toHaveLength(store.stats().evicted);
  expect(evicted.length).toBeGreaterThan(1000);
  store.check();
});

test('a promise of a sink delays the answer, and what it gives may be the answer', async () => {
  const store = makeStore(new Hand());
  const notes = new Notes();
  let open: ((failed?: Failure) => void) | undefined;
  store.attach(notes);
  notes.promise = new Promise((resolve) => (open = resolve));
  const reply = store.serve(storing('a', '1'));
  expect(reply).toBeInstanceOf(Promise);
  // The change is made, and a load does not wait for it.
  expect(serve(store, loading('a'))).toMatchObject({ status: 'ok' });
  open?.();
  expect(await reply).toMatchObject({ status: 'ok', meta: { index: 1 } });
  const failed = failure('INTERNAL_ERROR', 'the disk is gone');
  notes.promise = Promise.resolve(failed);
  expect(await store.serve(deleting('a'))).toBe(failed);
  store.check();
});

test('while a sink refuses, nothing can be changed and everything can be read', () => {
  const store = makeStore(new Hand());
  const notes = new Notes();
  serve(store, storing('a', '1'));
  store.attach(notes);
  notes.refusal = failure('INTERNAL_ERROR', 'the disk is full');
  expect(serve(store, storing('a', '2'))).toBe(notes.refusal);
  expect(serve(store, deleting('a'))).toBe(notes.refusal);
  expect(serve(store, loading('a'))).toMatchObject({ status: 'ok', meta: { index: 1 } });
  notes.refusal = undefined;
  expect(serve(store, deleting('a')).status).toBe('ok');
  expect(notes.lines).toEqual(['delete a']);
  expect([...store.list({ prefix: key('') })].flat()).toEqual([]);
  store.check();
});
