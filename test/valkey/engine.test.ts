// What the engine makes of one server, and of what the server refuses.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { keyFromText } from '../../src/base/key.ts';
import type { Condition } from '../../src/record/request.ts';
import { versionOf } from '../../src/record/version.ts';
import { eventually } from '../support/eventually.ts';
import { needs } from '../support/needs.ts';
import { installedPrograms, ValkeyServer } from '../support/valkey.ts';
import { metaOf, outcomeOf, TestEngine, valueOf } from '../support/valkey-engine.ts';

const key = (text: string) => keyFromText(text)!;

const hour = 3_600_000_000_000n;

needs('redis-server').each(installedPrograms())('the engine on %s', (program) => {
  let server: ValkeyServer;
  let on: TestEngine;
  beforeAll(async () => {
    server = await ValkeyServer.start([], { program });
    on = await TestEngine.start([server.addr]);
  });
  afterAll(async () => {
    on[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  test('a record is one string: 42 bytes and the value', async () => {
    await on.store('one', '"value"');
    expect(await server.client.strlen('one')).toBe(42 + 7);
    expect((await server.client.getBuffer('one'))!.toString('utf8', 42)).toBe('"value"');
  });

  test('a value of 16 MiB comes back byte for byte', async () => {
    const value = `"${'x'.repeat(16 * 1024 * 1024 - 2)}"`;
    expect(outcomeOf(await on.store('large', value))).toBe('ok');
    expect(valueOf(await on.load('large'))).toBe(value);
    await on.serve({ action: 'delete', key: key('large') });
  });

  test('a record is served up to its deadline and not a microsecond longer, and listed as long', async () => {
    const { updatedAt } = metaOf(await on.store('brief', '1', { ttlNs: 30_000_000n }));
    const deadline = updatedAt + 30_000;
    const accesses: number[] = [];
    for (;;) {
      const reply = await on.load('brief');
      if (reply.status !== 'ok') break;
      accesses.push(reply.meta.accessedAt);
    }
    const [seconds, micros] = await server.client.time();
    expect(await on.keys('brief')).toEqual([]);
    expect(Math.max(...accesses)).toBeLessThan(deadline);
    expect(Number(seconds) * 1e6 + Number(micros)).toBeGreaterThanOrEqual(deadline);
    await eventually(async () => expect(await server.client.exists('brief')).toBe(0));
  });

  test('a time to live of less than a millisecond is stored, and does not stay', async () => {
    expect(metaOf(await on.store('instant', '1', { ttlNs: 1n })).ttlNs).toBe(1n);
    expect(outcomeOf(await on.load('instant'))).toBe('KEY_NOT_FOUND');
  });

  test('a load keeps the expiry of its record; a store without one takes it away', async () => {
    await on.store('kept', '1', { ttlNs: hour });
    await on.load('kept');
    expect(await server.client.pttl('kept')).toBeGreaterThan(3_500_000);
    await on.store('kept', '1');
    expect(await server.client.pttl('kept')).toBe(-1);
  });

  test('a version names its state also where creation time and count come again', async () => {
    const versions = new Set<string>();
    for (let n = 0; n < 3; n++) versions.add(versionOf(metaOf(await on.store('v', '1'))));
    expect(versions.size).toBe(3);
    // As after a failover that lost the last store: the same time and count, stored again.
    const lost = await server.client.getBuffer('v');
    const before = versionOf(metaOf(await on.store('v', '2')));
    await server.client.set('v', lost!);
    const after = versionOf(metaOf(await on.store('v', '3')));
    expect(after.split('-').slice(0, 3)).toEqual(before.split('-').slice(0, 3));
    expect(after).not.toBe(before);
  });

  test('expire counts from now; version, value and access stay', async () => {
    const stored = metaOf(await on.store('session', '{"a":1}', { ttlNs: hour }));
    const loaded = metaOf(await on.load('session'));
    const moved = metaOf(
      await on.serve({ action: 'expire', key: key('session'), ttlNs: 2n * hour }),
    );
    expect(moved).toMatchObject({ ttlNs: 2n * hour, index: 1, accessedAt: loaded.accessedAt });
    expect(moved.updatedAt).toBeGreaterThan(stored.updatedAt);
    expect(versionOf(moved)).toBe(versionOf(stored));
    expect(await server.client.pttl('session')).toBeGreaterThan(7_000_000);
    await on.serve({ action: 'expire', key: key('session'), ttlNs: 0n });
    expect(await server.client.pttl('session')).toBe(-1);
    expect(valueOf(await on.load('session'))).toBe('{"a":1}');
    const missing = await on.serve({ action: 'expire', key: key('no session'), ttlNs: hour });
    expect(outcomeOf(missing)).toBe('KEY_NOT_FOUND');
  });

  test('parts are loaded, changed and removed; the record expires when it would have', async () => {
    await on.store('doc', '{"a":[1,2],"n":1.0}', { ttlNs: hour });
    const deadline = await server.client.pexpiretime('doc');
    const load = { action: 'load', key: key('doc'), pointer: '/a/1' } as const;
    expect(valueOf(await on.serve(load))).toBe('2');
    const missing = await on.serve({ ...load, pointer: '/x' });
    expect(outcomeOf(missing)).toBe('PART_NOT_FOUND');
    const value = { bytes: Buffer.from('"new"'), start: 0, end: 5 };
    const store = { action: 'store', key: key('doc'), pointer: '/a/0', value } as const;
    const stored = await on.serve(store);
    expect(valueOf(stored)).toBe('"new"');
    expect(metaOf(stored)).toMatchObject({ index: 2, ttlNs: hour, accessedAt: expect.any(Number) });
    await on.serve({ action: 'delete', key: key('doc'), pointer: '/a/1' });
    expect(valueOf(await on.load('doc'))).toBe('{"a":["new"],"n":1.0}');
    expect(await server.client.pexpiretime('doc')).toBe(deadline);
    expect((await server.client.getBuffer('doc'))![0]).toBe(253);
    // A whole new value has the short header again.
    await on.store('doc', '1', { ttlNs: hour });
    expect((await server.client.getBuffer('doc'))![0]).toBe(254);
    await on.serve({ action: 'delete', key: key('doc') });
  });

  test('a record that was changed expires at its first deadline, also after expire', async () => {
    await on.store('n', '1', { ttlNs: 50_000_000n });
    const add = { action: 'increment', key: key('n'), pointer: '', by: '1', initial: '0' } as const;
    expect(valueOf(await on.serve({ ...add, expire: 'created' }))).toBe('2');
    await eventually(async () => expect(outcomeOf(await on.load('n'))).toBe('KEY_NOT_FOUND'));
    await on.store('n', '1', { ttlNs: hour });
    await on.serve({ ...add, expire: 'created' });
    await on.serve({ action: 'expire', key: key('n'), ttlNs: 50_000_000n });
    await eventually(async () => expect(outcomeOf(await on.load('n'))).toBe('KEY_NOT_FOUND'));
  });

  test('of 200 increments from two engines at a time none is lost and none done twice', async () => {
    using other = await TestEngine.start([server.addr]);
    const add = {
      action: 'increment',
      key: key('sum'),
      pointer: '',
      by: '1',
      initial: '0',
    } as const;
    const all = Array.from({ length: 200 }, (_, n) =>
      (n % 2 ? on : other).serve({ ...add, expire: 'created' }),
    );
    const sums = (await Promise.all(all)).map((reply) => Number(valueOf(reply)));
    expect(sums.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
    expect(metaOf(await on.load('sum')).index).toBe(200);
  });

  test('what others have stored is refused, listed, and never written over', async () => {
    await server.client.set('text', 'hello');
    await server.client.rpush('list', 'a');
    for (const name of ['text', 'list']) {
      expect(outcomeOf(await on.load(name))).toBe('WRONG_TYPE');
      expect(outcomeOf(await on.store(name, '1'))).toBe('WRONG_TYPE');
      expect(outcomeOf(await on.serve({ action: 'delete', key: key(name) }))).toBe('WRONG_TYPE');
    }
    expect(await server.client.get('text')).toBe('hello');
    await server.client.del('text', 'list');
  });

  test('a lazy access is noted once a minute', async () => {
    using lazy = await TestEngine.start([server.addr], { accessed: 'lazy' });
    await on.store('lazy', '1');
    const first = metaOf(await lazy.load('lazy')).accessedAt;
    await lazy.load('lazy');
    expect(metaOf(await on.store('lazy', '2')).accessedAt).toBe(first);
  });

  test('with a prefix an engine sees its own keys alone, also one that is a pattern', async () => {
    using one = await TestEngine.start([server.addr], { prefix: key('app*:') });
    using two = await TestEngine.start([server.addr], { prefix: key('apple:') });
    await one.store('é', '1');
    await two.store('a', '2');
    expect(await one.keys()).toEqual([key('é')]);
    expect(await two.keys()).toEqual(['a']);
    expect(valueOf(await one.load('a'))).toBeUndefined();
  });

  test('a listing is whole and without repetition while the server moves its table', async () => {
    const names = Array.from({ length: 5000 }, (_, n) => `list:${n}`);
    for (let at = 0; at < names.length; at += 500) {
      await Promise.all(names.slice(at, at + 500).map((name) => on.store(name, '1')));
    }
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const query = { scope: 'cluster', prefix: key('list:'), cursor } as const;
      const before = found.length;
      cursor = undefined;
      for await (const group of on.engine.list(query)) {
        if ('code' in group) throw new Error(group.detail);
        found.push(...group.keys);
        const last = group.keys.at(-1);
        if (found.length - before < 500 || last === undefined) continue;
        cursor = group.cursorAfter(last);
        break;
      }
    } while (cursor !== undefined);
    expect(found).toHaveLength(5000);
    expect(new Set(found)).toEqual(new Set(names));
    await server.client.flushdb();
  });

  test('a server that has forgotten the scripts is sent them again', async () => {
    await on.store('a', '1');
    await server.client.script('FLUSH');
    expect(valueOf(await on.load('a'))).toBe('1');
  });

  describe('refusals of the server', () => {
    test('out of memory: a store is MEMORY_FULL and does nothing, loads and deletes go on', async () => {
      await on.store('a', '1');
      await server.client.config('SET', 'maxmemory', '1');
      expect(outcomeOf(await on.store('a', '2'))).toBe('MEMORY_FULL');
      expect(outcomeOf(await on.store('b', '2'))).toBe('MEMORY_FULL');
      expect(valueOf(await on.load('a'))).toBe('1');
      expect(outcomeOf(await on.serve({ action: 'delete', key: key('a') }))).toBe('ok');
      await server.client.config('SET', 'maxmemory', '0');
      expect(outcomeOf(await on.store('a', '3'))).toBe('ok');
    });

    test('too few replicas: a store is OWNER_UNAVAILABLE and does nothing, loads go on', async () => {
      await on.store('a', '1');
      await server.client.config('SET', 'min-replicas-to-write', '1');
      expect(outcomeOf(await on.store('a', '2'))).toBe('OWNER_UNAVAILABLE');
      expect(valueOf(await on.load('a'))).toBe('1');
      await server.client.config('SET', 'min-replicas-to-write', '0');
    });

    test('a server that has become a replica answers neither stores nor loads', async () => {
      await using second = await ValkeyServer.start([], { program });
      await on.store('a', '1');
      await server.client.replicaof(second.host, second.port);
      await eventually(async () => {
        expect(outcomeOf(await on.store('a', '2'))).toBe('OWNER_UNAVAILABLE');
      });
      await eventually(async () => {
        expect(await server.client.info()).toContain('master_link_status:up');
      });
      // It has what the other has, nothing: that is no answer either.
      expect(outcomeOf(await on.load('a'))).toBe('OWNER_UNAVAILABLE');
      expect(outcomeOf(await on.load('a', { ifMatch: ['x'] }))).toBe('OWNER_UNAVAILABLE');
      await server.client.replicaof('NO', 'ONE');
      await eventually(async () => expect(outcomeOf(await on.store('a', '2'))).toBe('ok'));
    });
  });

  test('a write that wants replicas says who has it; what was not done was never waited for', async () => {
    await using replica = await ValkeyServer.start([], { program });
    const value = { bytes: Buffer.from('1'), start: 0, end: 1 };
    const store = (replicas: number, condition?: Condition) =>
      on.serve({ action: 'store', key: key('copied'), value, ttlNs: 0n, condition, replicas });
    const alone = await store(1);
    expect(alone).toMatchObject({
      code: 'NOT_REPLICATED',
      detail: expect.stringContaining('acknowledged by 0 of 1 replicas'),
    });
    expect(valueOf(await on.load('copied'))).toBe('1');
    await replica.client.replicaof(server.host, server.port);
    await eventually(async () => {
      expect(await replica.client.info()).toContain('master_link_status:up');
    });
    const all = await Promise.all([store(1), store(1), store(2), store(1, { ifNoneMatch: '*' })]);
    expect(all.map(outcomeOf)).toEqual(['ok', 'ok', 'NOT_REPLICATED', 'PRECONDITION_FAILED']);
    expect(all[2]).toMatchObject({ detail: expect.stringContaining('by 1 of 2 replicas') });
    expect(await replica.client.strlen('copied')).toBe(43);
  });

  test('connections that the server has closed are made again, unasked', async () => {
    await on.store('idle', '1');
    await server.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await eventually(async () => expect(valueOf(await on.load('idle'))).toBe('1'));
  });

  test('a server that is ended and started again is used again, without a request in between', async () => {
    await server.kill();
    expect(outcomeOf(await on.load('a'))).toBe('OWNER_UNAVAILABLE');
    await server.start();
    await eventually(async () => expect(outcomeOf(await on.store('a', '1'))).toBe('ok'));
  });

  test('a server that hangs costs each request a bounded time; a write is said to be unknown', async () => {
    await on.store('a', '"before"');
    server.signal('SIGSTOP');
    const [store, load] = await Promise.all([on.store('a', '"after"'), on.load('a')]);
    expect(outcomeOf(store)).toBe('OUTCOME_UNKNOWN');
    expect(outcomeOf(load)).toBe('OWNER_UNAVAILABLE');
    expect(outcomeOf(await on.store('a', '"later"'))).toBe('OWNER_UNAVAILABLE');
    server.signal('SIGCONT');
    const back = await eventually(async () => {
      const reply = await on.load('a');
      expect(reply.status).toBe('ok');
      return reply;
    });
    expect(['"before"', '"after"']).toContain(valueOf(back));
  });
});
