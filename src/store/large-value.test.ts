// Values that have memory to themselves: written in pieces, lent to readers, and gone when nobody reads them.
import fc from 'fast-check';
import { expect, test } from 'vitest';

import {
  deleting,
  Hand,
  key,
  loading,
  makeStore,
  MIB,
  SECOND_NS,
} from '../../test/support/store.ts';
import { SteppedLoop } from '../../test/support/stepped-loop.ts';
import { LENT_BYTES_MAX } from '../base/limits.ts';
import { Scheduler } from '../base/scheduler.ts';
import { asKept, release, type KeptBytes, type KeptReply, type Reply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import { systemMemory, type MemorySource } from './memory/chunk.ts';
import type { Store } from './store.ts';

/** A store in which each turn of the loop has time for one piece, and what large memory it holds. */
class World {
  readonly hand = new Hand();
  readonly loop = new SteppedLoop();
  readonly store: Store;
  largeBytes = 0;

  constructor() {
    this.loop.msPerLook = 3;
    const memory: MemorySource = {
      ...systemMemory,
      exactly: (bytes) => {
        this.largeBytes += bytes;
        return systemMemory.exactly(bytes);
      },
      free: (freed) => {
        if (freed.byteLength < 2 ** 25) this.largeBytes -= freed.byteLength;
        systemMemory.free(freed);
      },
    };
    this.store = makeStore(this.hand, { scheduler: new Scheduler(this.loop), memory });
  }

  /** Has a request served to its end; `between` happens between the turns. */
  async serve(request: Request, between: () => void = () => {}): Promise<Reply> {
    const reply = this.store.serve(request);
    while (!this.loop.isIdle) {
      await this.loop.turn();
      between();
    }
    return reply;
  }

  /** The value of a record as text. */
  async text(name: string): Promise<string | undefined> {
    const reply = await this.serve(loading(name));
    const text = reply.status === 'ok' ? textOf(reply) : undefined;
    release(reply);
    return text;
  }

  /** Loads a value and keeps it. */
  async lend(name: string): Promise<KeptBytes> {
    const reply = (await this.serve(loading(name))) as KeptReply;
    return (reply.status === 'ok' && reply.value) as KeptBytes;
  }
}

function textOf(reply: Reply): string {
  if (reply.status !== 'ok') throw new Error(reply.status);
  const { bytes, start, end } = reply.value!;
  return bytes.toString('latin1', start, end);
}

function storing(name: string, text: string, ttlNs = 0n): Request {
  const bytes = Buffer.from(text);
  return {
    action: 'store',
    key: key(name),
    value: asKept({ bytes, start: 0, end: bytes.length }),
    ttlNs,
  };
}

const valueOf = (letter: string, bytes = MIB): string => `"${letter.repeat(bytes)}"`;

test('a large value is stored in pieces, others are served meanwhile, and the answer shows it', async () => {
  const world = new World();
  await world.serve(storing('small', '1'));
  let turns = 0;
  const reply = await world.serve(storing('large', valueOf('a')), () => {
    turns++;
    expect(world.store.serve(loading('small'))).toMatchObject({ status: 'ok' });
  });
  expect(turns).toBeGreaterThan(5);
  expect(textOf(reply)).toBe(valueOf('a'));
  expect(await world.text('large')).toBe(valueOf('a'));
  world.store.check();
});

test('a large store whose client has gone stores nothing, and its memory goes back', async () => {
  const world = new World();
  let isGone = false;
  const reply = world.store.serve(storing('large', valueOf('a')), undefined, () => isGone);
  await world.loop.turn();
  expect(world.largeBytes).toBeGreaterThan(MIB);
  isGone = true;
  await world.loop.run();
  expect(await reply).toMatchObject({ code: 'CLIENT_GONE' });
  expect(world.largeBytes).toBe(0);
  expect(await world.text('large')).toBeUndefined();
});

test('whatever comes between its pieces, a large store is done as if at its end', async () => {
  const world = new World();
  await world.serve(storing('large', valueOf('a')));
  const first = world.store.serve(storing('large', valueOf('b', 2 * MIB)));
  const second = world.store.serve(storing('large', valueOf('c', 2 * MIB), SECOND_NS));
  await world.loop.turn();
  await world.serve(deleting('large'));
  await world.loop.run();
  expect(await first).toMatchObject({ meta: { index: 1, ttlNs: 0n } });
  expect(await second).toMatchObject({ meta: { index: 2, ttlNs: SECOND_NS } });
  expect(await world.text('large')).toBe(valueOf('c', 2 * MIB));
  world.store.check();
});

test('what a reader has been lent stays as it was, though the record changes or goes', async () => {
  const world = new World();
  await world.serve(storing('large', valueOf('a')));
  const lent = await world.lend('large');
  await world.serve(storing('large', valueOf('b')));
  const later = await world.lend('large');
  await world.serve(deleting('large'));
  for (const [{ bytes, start, end }, letter] of [
    [lent, 'a'],
    [later, 'b'],
  ] as const) {
    expect(bytes.toString('latin1', start, end)).toBe(valueOf(letter));
  }
  for (const { lease } of [lent, lent, later]) lease!.release();
  expect(world.largeBytes).toBe(0);
});

test('a value that nobody reads is written over where it lies', async () => {
  const world = new World();
  await world.serve(storing('large', valueOf('a')));
  const before = world.largeBytes;
  (await world.lend('large')).lease!.release();
  await world.serve(storing('large', valueOf('b')));
  expect(world.largeBytes).toBe(before);
  expect(await world.text('large')).toBe(valueOf('b'));
});

test('when too much is gone and still read, who reads the oldest must let go', async () => {
  const world = new World();
  const bytes = 8 * MIB;
  const revoked: number[] = [];
  const many = LENT_BYTES_MAX / bytes + 2;
  for (let n = 0; n < many; n++) {
    await world.serve(storing('large', valueOf('a', bytes)));
    const { lease } = await world.lend('large');
    lease!.onRevoked = () => {
      revoked.push(n);
      lease!.release();
    };
    expect(world.largeBytes).toBeLessThanOrEqual(LENT_BYTES_MAX + 2 * (bytes + 100));
  }
  await world.serve(deleting('large'));
  expect(revoked).toEqual([0, 1, 2]);
  expect(world.largeBytes).toBeLessThanOrEqual(LENT_BYTES_MAX);
});

test('a large record that is to expire, or is to stay, keeps value and version', async () => {
  const world = new World();
  await world.serve(storing('large', valueOf('a')));
  const lent = await world.lend('large');
  for (const ttlNs of [SECOND_NS, 2n * SECOND_NS, 0n, 0n]) {
    const reply = await world.serve({ action: 'expire', key: key('large'), ttlNs });
    expect(reply).toMatchObject({ status: 'ok', meta: { index: 1, ttlNs } });
    expect(await world.text('large')).toBe(valueOf('a'));
    world.store.check();
  }
  expect(lent.bytes.toString('latin1', lent.start, lent.end)).toBe(valueOf('a'));
  lent.lease!.release();
});

test('a draft for a record that has come to expire meanwhile is not used', async () => {
  const world = new World();
  await world.serve(storing('large', valueOf('a')));
  const lent = await world.lend('large');
  const values = asKept({ bytes: Buffer.from('["b"]'), start: 0, end: 5 });
  await world.serve(storing('list', `[${valueOf('a')}]`));
  const reply = world.store.serve({
    action: 'append',
    key: key('list'),
    pointer: '',
    values,
  });
  await world.loop.turn();
  const expiry = world.store.serve({ action: 'expire', key: key('list'), ttlNs: SECOND_NS });
  await world.loop.run();
  expect(await expiry).toMatchObject({ status: 'ok' });
  expect(await reply).toMatchObject({ status: 'ok' });
  expect(await world.text('list')).toBe(`[${valueOf('a')},"b"]`);
  world.store.check();
  lent.lease!.release();
});

test('property: keys of every length, stores, expiries and readers in any order: nothing is damaged', async () => {
  const name = fc.integer({ min: 1, max: 9 }).map((length) => 'k'.repeat(length));
  const size = fc.integer({ min: 600_000, max: 700_000 });
  const step = fc.oneof(
    fc.record({ store: name, size, expires: fc.boolean() }),
    fc.record({ expire: name, expires: fc.boolean() }),
    fc.record({ lend: name }),
    fc.record({ remove: name }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const world = new World();
      const expected = new Map<string, string>();
      const lent: [KeptBytes, string][] = [];
      for (const [n, one] of steps.entries()) {
        const ttlNs = 'expires' in one && one.expires ? SECOND_NS : 0n;
        if ('store' in one) {
          const text = valueOf(String.fromCharCode(97 + n), one.size);
          await world.serve(storing(one.store, text, ttlNs));
          expected.set(one.store, text);
        } else if ('expire' in one) {
          await world.serve({ action: 'expire', key: key(one.expire), ttlNs });
        } else if ('remove' in one) {
          await world.serve(deleting(one.remove));
          expected.delete(one.remove);
        } else if (expected.has(one.lend)) {
          lent.push([await world.lend(one.lend), expected.get(one.lend)!]);
        }
        world.store.check();
      }
      for (const [found, text] of expected) expect((await world.text(found)) === text).toBe(true);
      for (const [{ bytes, start, end, lease }, text] of lent) {
        expect(bytes.toString('latin1', start, end) === text).toBe(true);
        lease!.release();
      }
      for (const found of expected.keys()) await world.serve(deleting(found));
      expect(world.largeBytes).toBe(0);
    }),
    { numRuns: 40 },
  );
});
