import { expect, test } from 'vitest';

import { Deferred } from '../base/deferred.ts';
import { keyFromText, type Key } from '../base/key.ts';
import type { RecordPiece } from '../peer/record-piece.ts';
import type { Meta } from '../record/reply.ts';
import { Hand, loading, makeStore, MIB, serve, storing } from '../../test/support/store.ts';
import { clockMark, needMark, Receiving, type ReceivingOptions } from './receiving.ts';

const PARTITION = 0;

/** Time enough for every record of these tests, in microseconds. */
const HOUR_US = 3_600_000_000;

function put(key: string, leftUs = Infinity): RecordPiece {
  const value = { bytes: Buffer.from('7'), start: 0, end: 1 };
  const ttlNs = leftUs === Infinity ? 0n : 9_000_000_000n;
  const meta: Meta = { index: 3, ttlNs, accessedAt: 30, createdAt: 10, updatedAt: 20 };

  return {
    kind: 'put',
    cause: 'copy',
    partition: PARTITION,
    key: keyFromText(key) as Key,
    meta,
    value,
    leftUs,
  };
}

function setUp(over: Partial<ReceivingOptions> = {}, maxMemoryBytes = 0) {
  const hand = new Hand();
  const store = makeStore(hand, { partitions: 1, maxMemoryBytes });
  const ends: string[] = [];
  const receiving = new Receiving({
    transfer: store.transfer,
    clock: hand.clock,
    dropped: Promise.resolve(),
    isExpected: () => true,
    onEnd: (isWhole, reason) => ends.push(`${isWhole}: ${reason}`),
    ...over,
  });
  return { hand, store, receiving, ends };
}

test('a record comes with all its meta, and the next one that is created here is another version', async () => {
  const { store, receiving } = setUp();
  expect(await receiving.onPiece(put('a'))).toBeUndefined();
  const reply = serve(store, loading('a'));
  expect(reply).toMatchObject({ status: 'ok', meta: { index: 3, createdAt: 10, updatedAt: 20 } });
  serve(store, storing('b', '1'));
  store.check();
});

test('the time that a record has left goes on while it is on its way', async () => {
  const { hand, store, receiving } = setUp();
  const sentUs = hand.clock() - 5 * HOUR_US; // the sender's clock is another one
  await receiving.onPiece({ kind: 'mark', text: clockMark(sentUs) });
  // The next piece was sent at once, but comes two seconds later.
  hand.now += 2_000_000;
  void receiving.onPiece({ kind: 'mark', text: clockMark(sentUs) });
  void receiving.onPiece(put('short', 1_999_999));
  void receiving.onPiece(put('long', 2_000_001));
  expect(serve(store, loading('short'))).toMatchObject({ code: 'KEY_NOT_FOUND' });
  expect(serve(store, loading('long'))).toMatchObject({ status: 'ok' });
  hand.now += 1;
  expect(serve(store, loading('long'))).toMatchObject({ code: 'KEY_NOT_FOUND' });
  store.check();
});

test('nothing comes in that another member would have to send, or after an abort', async () => {
  const { receiving, store } = setUp({ isExpected: () => false });
  expect(await receiving.onPiece(put('a'))).toMatch(/does not come from there/);
  const other = setUp();
  other.receiving.abort();
  expect(await other.receiving.onPiece(put('a'))).toBe('the handover was given up');
  expect(store.stats().records + other.store.stats().records).toBe(0);
});

test('the first record waits until what was here before is dropped', async () => {
  const { promise: dropped, resolve: drop } = new Deferred();
  const { receiving, store } = setUp({ dropped });
  const applied = receiving.onPiece(put('a'));
  expect(store.stats().records).toBe(0);
  drop();
  await applied;
  expect(store.stats().records).toBe(1);
});

test('what does not fit is refused before it comes, with sizes; what is claimed is not given twice', async () => {
  const { store, receiving } = setUp({}, 4 * MIB);
  expect(await receiving.onPiece({ kind: 'mark', text: needMark(3 * MIB) })).toBeUndefined();
  const other = new Receiving({
    transfer: store.transfer,
    clock: () => 0,
    dropped: Promise.resolve(),
    isExpected: () => true,
    onEnd: () => {},
  });
  const need: RecordPiece = { kind: 'mark', text: needMark(2 * MIB) };
  expect(await other.onPiece(need)).toBe(
    'up to 2.0 MiB of records are to come, and 1.0 MiB of -max-memory are free for them',
  );
  receiving.abort();
  receiving.release();
  expect(other.onPiece(need)).toBeUndefined();
});
