import { expect, test } from 'vitest';

import { serve } from '../../test/support/store.ts';
import { keyFromText } from '../base/key.ts';
import type { Request } from '../record/request.ts';
import type { MemorySource } from './memory/chunk.ts';
import { Store, type StoreOptions } from './store.ts';

/** Pieces of memory that the system still has. */
let piecesLeft = 0;

function allocate(sizeBytes: number): ArrayBuffer | undefined {
  if (piecesLeft === 0) return undefined;
  piecesLeft--;
  return new ArrayBuffer(sizeBytes);
}

const memory: MemorySource = {
  chunk: () => allocate(2 ** 25),
  exactly: allocate,
  free: () => piecesLeft++,
};

const MIB = 2 ** 20;
const clock = (): number => 1;

function makeStore(bounds: Partial<StoreOptions> = {}): Store {
  return new Store({
    node: { id: 'node', addr: '127.0.0.1:2373' },
    clock,
    partitions: 4,
    maxMemoryBytes: 0,
    eviction: 'none',
    random: () => 0.5,
    memory,
    segmentsMax: 8,
    ...bounds,
  });
}

function storing(at: number, size: number, ttlNs = 0n): Request {
  const bytes = Buffer.from(`"${'v'.repeat(size)}"`);
  const value = { bytes, start: 0, end: bytes.length };
  return { action: 'store', key: keyFromText(`key-${at}`)!, value, ttlNs };
}

// None for the first table, none for the first segment, one segment, three.
test.each([0, 1, 2, 4])(
  'where the system has %d pieces of memory, a store fails, and nothing else',
  (pieces) => {
    piecesLeft = pieces;
    const store = makeStore();
    let stored = 0;
    for (; stored < 2_000_000; stored++) {
      if (serve(store, storing(stored, 20_000)).status !== 'ok') break;
    }
    expect(serve(store, storing(stored, 20_000))).toMatchObject({ code: 'MEMORY_FULL' });
    expect(store.stats().records).toBe(stored);
    store.check();
    if (stored === 0) return;
    // One that must move, and one that starts to expire.
    expect(serve(store, storing(0, 600_000, 5n))).toMatchObject({ code: 'MEMORY_FULL' });
    expect(serve(store, storing(1, 20_000)).status).toBe('ok');
    for (let at = 0; at < stored; at++) {
      const key = keyFromText(`key-${at}`)!;
      expect(serve(store, { action: 'load', key })).toMatchObject({
        meta: { index: at === 1 ? 2 : 1 },
      });
      serve(store, { action: 'delete', key });
    }
    store.check();
    expect(serve(store, storing(0, 20_000)).status).toBe('ok');
  },
);

test('where all addresses are in use, what is deleted is won back', () => {
  piecesLeft = 100;
  const store = makeStore();
  let stored = 0;
  while (serve(store, storing(stored, 1000)).status === 'ok') stored++;
  for (let at = 0; at < stored; at++) {
    if (at % 4 > 0) serve(store, { action: 'delete', key: keyFromText(`key-${at}`)! });
  }
  while (store.maintain(1000));
  const { garbageBytes, liveBytes } = store.stats();
  expect(garbageBytes).toBeLessThan(liveBytes / 8 + 2 * MIB);
  for (let at = 0; at < stored / 2; at++) {
    expect(serve(store, storing(stored + at, 1000)).status).toBe('ok');
  }
  store.check();
});

test('large values are bounded by memory alone, and leave room for others', () => {
  piecesLeft = 100;
  const store = makeStore();
  for (let at = 0; at < 90; at++) expect(serve(store, storing(at, 600_000)).status).toBe('ok');
  for (let at = 0; at < 500; at++) {
    expect(serve(store, storing(1000 + at, 10_000)).status).toBe('ok');
  }
  store.check();
});

test('where the system has no memory left, large values go on to be stored by eviction', () => {
  piecesLeft = 10;
  const store = makeStore({ maxMemoryBytes: 1024 * MIB, eviction: 'lru' });
  for (let at = 0; at < 100; at++) {
    expect(serve(store, storing(at, 600_000)).status).toBe('ok');
    expect(serve(store, storing(1000 + at, 10)).status).toBe('ok');
  }
  expect(store.stats().evicted).toBeGreaterThan(90);
  store.check();
});
