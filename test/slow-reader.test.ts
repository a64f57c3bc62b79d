import { connect } from 'node:net';
import { expect, test } from 'vitest';

import { Scheduler } from '../src/base/scheduler.ts';
import { Api } from '../src/api/api.ts';
import { systemClock } from '../src/base/clock.ts';
import { keyFromText, type Key } from '../src/base/key.ts';
import { listPartitions, type ListSource, type MemberLister } from '../src/cluster/listing.ts';
import { Topology } from '../src/cluster/topology.ts';
import { HttpServer } from '../src/http/server.ts';
import type { ListQuery } from '../src/record/engine.ts';
import { Store } from '../src/store/store.ts';
import { get } from './support/client.ts';
import { eventually } from './support/eventually.ts';
import { numbersOf } from './support/random.ts';

const KEYS = 1_000_000;
/** What a key takes in the list: 60 characters, two quotes and a comma. */
const LISTED_BYTES = 63;
const MIB = 2 ** 20;

function nameOf(at: number): Key {
  return keyFromText(`key-${at}`.padEnd(60, '.')) as Key;
}

test('who does not read a list of a million keys costs a bounded buffer, and holds up nobody', async () => {
  const node = { id: 'id', addr: 'addr' };
  const store = new Store({
    node,
    clock: systemClock,
    partitions: 16_384,
    maxMemoryBytes: 0,
    eviction: 'none',
    random: numbersOf(1),
  });
  const value = { bytes: Buffer.from('1'), start: 0, end: 1 };
  for (let at = 0; at < KEYS; at++) {
    void store.serve({ action: 'store', key: nameOf(at), value, ttlNs: 0n });
  }

  const facts = { clusterId: '', epoch: 1, by: '', members: ['addr'], before: [], lives: {} };
  const topology = new Topology(facts, 16_384);
  const own: MemberLister = {
    id: 'id',
    page(query) {
      const piece = store.scan(query, query.from).next().value;
      return { status: 'page', keys: piece?.keys ?? [], next: piece?.next };
    },
  };
  const source: ListSource = {
    topology,
    listers: () => new Map([['addr', own]]),
    pause: () => Promise.resolve(),
  };
  let listedBytes = 0;
  async function* list(query: ListQuery) {
    for await (const group of listPartitions(source, query)) {
      listedBytes += 'keys' in group ? group.keys.length * LISTED_BYTES : 0;
      yield group;
    }
  }
  const server = new HttpServer(
    new Api({
      engine: {
        serve: (request) => store.serve(request),
        list,
        members: () => [],
        start: () => Promise.resolve(),
        close: () => {},
      },
      scheduler: new Scheduler(),
      valueBytesMax: 1000,
      onDefect: (error) => {
        throw error;
      },
    }),
  );
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${port}`;
  const reader = connect(port, '127.0.0.1').pause();
  try {
    let readBytes = 0;
    reader.write('GET /v1/keys HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    // The list has come to a stop when a request that comes after a look sees no more of it.
    const stoppedAt = await eventually(async () => {
      const before = listedBytes;
      expect(before).toBeGreaterThan(0);
      for (let at = 0; at < 20; at++) expect((await get(url, nameOf(at))).status).toBe(200);
      expect(listedBytes).toBe(before);
      return before;
    });
    // What the sockets of both sides hold, and a chunk. The whole list has 63 MB.
    expect(stoppedAt).toBeLessThan(24 * MIB);

    const ended = new Promise((resolve) => reader.on('end', resolve));
    reader.on('data', (chunk) => (readBytes += chunk.length)).resume();
    await ended;
    expect(listedBytes).toBe(KEYS * LISTED_BYTES);
    expect(readBytes).toBeGreaterThan(KEYS * LISTED_BYTES);
  } finally {
    reader.destroy();
    server.destroy();
  }
  store.check();
});
