import { expect, test } from 'vitest';

import { inside, textAt, type Edit } from '../../test/support/edit.ts';
import { SteppedLoop } from '../../test/support/stepped-loop.ts';
import { keyFromText } from '../base/key.ts';
import { RESTARTS_MAX } from '../base/limits.ts';
import { Scheduler } from '../base/scheduler.ts';
import type { KeptReply, Reply, Served } from '../record/reply.ts';
import type { Condition, Request } from '../record/request.ts';
import { versionOf } from '../record/version.ts';
import { Store } from './store.ts';

const key = keyFromText('k')!;
const SECOND_NS = 1_000_000_000n;

/** A store whose clock and event loop stand still until they are told to go on. */
class World {
  nowUs = 1_000_000;
  readonly loop = new SteppedLoop();
  readonly scheduler = new Scheduler(this.loop);
  readonly store = new Store({
    node: { id: 'id', addr: 'addr' },
    clock: () => this.nowUs,
    partitions: 16,
    maxMemoryBytes: 0,
    eviction: 'none',
    random: () => 0.5,
    valueBytesMax: 4_000_000,
    scheduler: this.scheduler,
  });

  constructor() {
    // Each turn has time for one piece.
    this.loop.msPerLook = 3;
  }

  ask(request: Edit | { action: 'load'; pointer?: string; condition?: Condition }): Reply {
    const reply = this.store.serve({ ...request, key });
    if (reply instanceof Promise) throw new Error('not at once');
    return reply;
  }

  /** Asks for something that takes pieces. */
  askLong(request: object, isGone?: () => boolean): Promise<KeptReply> {
    const reply = this.store.serve({ ...request, key } as Request, undefined, isGone);
    if (!(reply instanceof Promise)) throw new Error('at once');
    return reply;
  }

  put(text: string, ttlNs = 0n): void {
    void this.store.serve({ action: 'store', key, value: inside(text), ttlNs });
  }

  /** The value of the record; undefined if there is none. */
  text(): string | undefined {
    const reply = this.ask({ action: 'load' });
    return reply.status === 'ok' ? textAt(reply.value!) : undefined;
  }

  /** Lets all that takes long come to its end, and does something between the turns. */
  async run(between?: () => unknown): Promise<void> {
    while (!this.loop.isIdle) {
      await this.loop.turn();
      between?.();
    }
  }
}

const increment = (more: object = {}): Edit => ({
  action: 'increment',
  pointer: '',
  by: '1',
  initial: '0',
  expire: 'created',
  ...more,
});

const long = (first: string) => `[${first},${'"x",'.repeat(100_000)}1]`;

test('an edit counts as a store: index and times go on, accessed_at stays', () => {
  const world = new World();
  world.put('{"n":1}');
  world.nowUs += 5;
  const reply = world.ask(increment({ pointer: '/n' })) as Served;
  expect(reply.meta).toMatchObject({ index: 2, createdAt: 1_000_000, updatedAt: 1_000_005 });
  expect(textAt(reply.value!)).toBe('2');
  expect(world.text()).toBe('{"n":2}');
  world.store.check();
});

test('an edit without a time to live leaves the record its deadline', () => {
  const world = new World();
  world.put('1', 10n * SECOND_NS);
  world.nowUs += 9_000_000;
  expect(world.ask(increment())).toMatchObject({ meta: { ttlNs: 10n * SECOND_NS } });
  world.nowUs += 999_999;
  expect(world.text()).toBe('2');
  world.nowUs += 1;
  expect(world.text()).toBeUndefined();
  world.store.check();
});

test.each([
  ['created', '1', 7_000_000],
  ['created', undefined, 5_000_000],
  ['always', '1', 5_000_000],
  ['always', undefined, 5_000_000],
])('a counter that expires "%s", at %s before, lives for %i us', (expire, before, lifeUs) => {
  const world = new World();
  if (before !== undefined) world.put(before, 7n * SECOND_NS);
  world.ask(increment({ expire, ttlNs: 5n * SECOND_NS }));
  world.nowUs += lifeUs - 1;
  expect(world.text()).toBeDefined();
  world.nowUs += 1;
  expect(world.text()).toBeUndefined();
});

test('expire gives a time to live that counts from now, and leaves value and version', () => {
  const world = new World();
  world.put('{"a": 1}');
  const before = world.ask({ action: 'load' }) as Served;
  const version = versionOf(before.meta);
  world.nowUs += 7;
  const expire = { action: 'expire', ttlNs: SECOND_NS } as unknown as Edit;
  const reply = world.ask(expire) as Served;
  expect(reply).toMatchObject({ value: undefined, meta: { updatedAt: 1_000_007, index: 1 } });
  expect(versionOf(reply.meta)).toBe(version);
  expect(world.text()).toBe('{"a": 1}');
  world.ask({ ...expire, ttlNs: 0n } as Edit);
  world.nowUs += 10_000_000;
  expect(world.text()).toBe('{"a": 1}');
  world.ask(expire);
  world.nowUs += 1_000_000;
  expect(world.text()).toBeUndefined();
  expect(world.ask(expire)).toMatchObject({ code: 'KEY_NOT_FOUND' });
  world.store.check();
});

test('conditions come first, whatever is asked', () => {
  const world = new World();
  world.put('[1]');
  const { meta } = world.ask({ action: 'load' }) as Served;
  const other = { ifMatch: ['other'] };
  const same = { ifNoneMatch: [versionOf(meta)] };
  const pointer = '/0';
  expect(world.ask({ ...increment({ pointer }), condition: other })).toMatchObject({
    code: 'PRECONDITION_FAILED',
  });
  expect(world.ask({ action: 'load', pointer, condition: other })).toMatchObject({
    code: 'PRECONDITION_FAILED',
  });
  expect(world.ask({ action: 'load', pointer, condition: same })).toMatchObject({
    status: 'unchanged',
  });
  expect(world.ask({ action: 'load', pointer: '/1' })).toMatchObject({ code: 'PART_NOT_FOUND' });
  expect(world.text()).toBe('[1]');
});

test('others are served while a long value is searched, and the answer is a copy', async () => {
  const world = new World();
  world.put(long('{"a": 7}'));
  const found = world.askLong({ action: 'load', pointer: '/100001' });
  const first = world.askLong({ action: 'index', index: 0 });
  let turns = 0;
  await world.run(() => turns++);
  world.put('"something else"');
  expect(turns).toBeGreaterThan(3);
  expect(textAt(((await found) as Served).value!)).toBe('1');
  expect(textAt(((await first) as Served).value!)).toBe('{"a": 7}');
});

test('a value that changes while it is searched is searched anew', async () => {
  const world = new World();
  world.put(long('1'));
  const last = world.askLong({ action: 'index', index: 100_001 });
  let changes = 0;
  await world.run(() => {
    if (changes++ < 3) world.put(`[${'"y",'.repeat(100_001)}${changes}]`);
  });
  expect(textAt(((await last) as Served).value!)).toBe('3');
});

test('a value that never stays as it is ends the search with a failure', async () => {
  const world = new World();
  world.put(long('1'));
  const last = world.askLong({ action: 'index', index: 100_001 });
  let changes = 0;
  await world.run(() => world.put(long(String(++changes))));
  expect(await last).toMatchObject({ code: 'OVERLOADED' });
  expect(changes).toBeGreaterThan(RESTARTS_MAX);
});

test('a record that is removed while it is searched is not found', async () => {
  const world = new World();
  world.put(long('1'));
  const last = world.askLong({ action: 'index', index: 100_001 });
  await world.run(() => world.store.serve({ action: 'delete', key }));
  expect(await last).toMatchObject({ code: 'KEY_NOT_FOUND' });
  world.store.check();
});

test('edits of a long value that overlap are all done, one after the other', async () => {
  const world = new World();
  world.put(long('0'));
  const all = Array.from({ length: 5 }, () => world.askLong(increment({ pointer: '/0' })));
  await world.run();
  const shown = (await Promise.all(all)).map((reply) => textAt((reply as Served).value!));
  expect(shown.toSorted()).toEqual(['1', '2', '3', '4', '5']);
  expect(world.text()?.slice(0, 3)).toBe('[5,');
  world.store.check();
});

test('what nobody waits for any more changes nothing', async () => {
  const world = new World();
  world.put(long('0'));
  const reply = world.askLong(increment({ pointer: '/0' }), () => true);
  await world.run();
  expect(await reply).toMatchObject({ code: 'CLIENT_GONE' });
  expect(world.text()?.slice(0, 3)).toBe('[0,');
});

test('a result that is too large is refused, and nothing is changed', async () => {
  const world = new World();
  world.put('[1]');
  const value = inside(`"${'x'.repeat(3_999_998)}"`);
  const reply = world.askLong({ action: 'store', pointer: '/0', value });
  await world.run();
  expect(await reply).toMatchObject({ code: 'RESULT_TOO_LARGE' });
  expect(world.text()).toBe('[1]');
});
