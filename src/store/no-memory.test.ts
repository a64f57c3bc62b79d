import { expect, test, vi } from 'vitest';

import { keyFromText } from '../key.ts';
import type { Request } from './request.ts';
import { Store } from './store.ts';

/** Pieces of memory that the system still has. */
let piecesLeft = 0;

function allocate(sizeBytes: number): ArrayBuffer | undefined {
  if (piecesLeft === 0) return undefined;
  piecesLeft--;
  return new ArrayBuffer(sizeBytes);
}

vi.mock('./memory.ts', () => ({
  allocateChunk: () => allocate(2 ** 25),
  allocateExactly: allocate,
  freeMemory: () => piecesLeft++,
}));

const clock = (): number => 1;

function makeStore(): Store {
  const node = { id: 'node', addr: '127.0.0.1:2373' };
  const options = {
    partitions: 4,
    maxMemoryBytes: 0,
    eviction: 'none',
    random: () => 0.5,
  } as const;
  return new Store({ node, clock, ...options });
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
      if (store.serve(storing(stored, 20_000)).status !== 'ok') break;
    }
    expect(store.serve(storing(stored, 20_000))).toMatchObject({ code: 'MEMORY_FULL' });
    expect(store.stats().records).toBe(stored);
    store.check();
    if (stored === 0) return;
    // One that must move, and one that starts to expire.
    expect(store.serve(storing(0, 600_000, 5n))).toMatchObject({ code: 'MEMORY_FULL' });
    expect(store.serve(storing(1, 20_000)).status).toBe('ok');
    for (let at = 0; at < stored; at++) {
      const key = keyFromText(`key-${at}`)!;
      expect(store.serve({ action: 'load', key })).toMatchObject({
        meta: { index: at === 1 ? 2 : 1 },
      });
      store.serve({ action: 'delete', key });
    }
    store.check();
    expect(store.serve(storing(0, 20_000)).status).toBe('ok');
  },
);
