import fc from 'fast-check';
import { expect, test } from 'vitest';

import { SteppedTimers } from '../../test/support/stepped-timers.ts';
import { failure } from '../base/errors.ts';
import type { Key } from '../base/key.ts';
import { partitionOf } from '../base/partition.ts';
import { Scheduler } from '../base/scheduler.ts';
import { versionOf } from '../record/version.ts';
import type { Watch, WatchEvent } from '../record/watch.ts';
import { Store } from '../store/store.ts';
import { Watching } from './watching.ts';

const ALL = { keys: [], prefixes: ['' as Key] };

/** Members that ask each other without a network; a member can be cut off, and start anew. */
class Members {
  readonly timers = new SteppedTimers();
  readonly names: string[];
  readonly #nodes = new Map<string, { store: Store; watching: Watching }>();
  readonly #cut = new Set<string>();
  #lives = 0;

  constructor(names: string[]) {
    this.names = names;
    for (const name of names) this.restart(name);
  }

  restart(name: string): void {
    const self = { id: 'id', addr: name };
    const life = `${++this.#lives}`.padStart(8, '0');
    const { timers } = this;
    const store = new Store({
      node: self,
      clock: () => 1_700_000_000_000_000 + timers.nowMs() * 1000,
      partitions: 16,
      maxMemoryBytes: 0,
      eviction: 'none',
      scheduler: new Scheduler(),
      random: () => 0.5,
    });
    const watching = new Watching({ self, life, partitions: 16, store, timers });
    this.#nodes.set(name, { store, watching });
    this.adopt(name, this.names);
  }

  adopt(name: string, names: string[]): void {
    const others = names.filter((other) => other !== name);
    this.#nodes.get(name)!.watching.adopt(
      new Map(
        others.map((other) => [
          other,
          {
            watch: (query) =>
              this.#cut.has(other)
                ? Promise.resolve(failure('OWNER_UNAVAILABLE', 'it is cut off'))
                : this.#nodes.get(other)!.watching.watchHere(query),
          },
        ]),
      ),
    );
  }

  cut(name: string): void {
    this.#cut.add(name);
  }

  heal(name: string): void {
    this.#cut.delete(name);
  }

  close(name: string): void {
    this.#nodes.get(name)!.watching.close();
  }

  store(name: string, key: string): void {
    const value = { bytes: Buffer.from(`"${key}"`), start: 0, end: key.length + 2 };
    void this.#nodes.get(name)!.store.serve({ action: 'store', key: key as Key, value, ttlNs: 0n });
  }

  delete(name: string, key: string): void {
    void this.#nodes.get(name)!.store.serve({ action: 'delete', key: key as Key });
  }

  /** The records of a member, by their versions. */
  *versions(name: string): Generator<[string, string]> {
    const { store } = this.#nodes.get(name)!;
    for (const key of [...store.list({ prefix: '' as Key })].flat()) {
      const { meta } = store.transfer.copy(key, partitionOf(key, 16))!;
      yield [key, versionOf(meta)];
    }
  }

  watch(name: string, since?: string, values = false): Watch {
    const query = { scope: 'cluster', interest: ALL, values, since } as const;
    return this.#nodes.get(name)!.watching.watch(query, () => {}) as Watch;
  }
}

/** What there is to take, a line each. */
function takeAll(watch: Watch): string[] {
  const lines: string[] = [];
  while (watch.hasNews) for (const event of watch.take(2)) lines.push(lineOf(event));
  return lines;
}

function lineOf(event: WatchEvent): string {
  switch (event.kind) {
    case 'ready':
      return `ready ${event.members}`;
    case 'lost':
      return `lost ${event.member} ${event.reason}`;
    case 'store': {
      const { key, value } = event;
      return `store ${key}${value ? ` ${value.bytes.toString('utf8', value.start, value.end)}` : ''}`;
    }
    case 'delete':
    case 'expire':
    case 'evict':
      return `${event.kind} ${event.key}`;
  }
}

test('a watch of all members is ready when all are, and hears of each', async () => {
  const members = new Members(['a', 'b', 'c']);
  const watch = members.watch('a', undefined, true);
  expect(watch.hasNews).toBe(false);
  await members.timers.settle();
  expect(takeAll(watch)).toEqual(['ready 3']);
  for (const name of ['a', 'b', 'c']) members.store(name, `of ${name}`);
  await members.timers.settle();
  expect(takeAll(watch).toSorted()).toEqual(
    ['a', 'b', 'c'].map((name) => `store of ${name} "of ${name}"`),
  );
  members.store('b', 'again');
  await members.timers.settle();
  expect(takeAll(watch)).toEqual(['store again "again"']);
});

test('a position is resumed at another member', async () => {
  const members = new Members(['a', 'b']);
  const first = members.watch('a');
  await members.timers.settle();
  takeAll(first);
  const { position } = first;
  first.close();
  members.store('a', 'a1');
  members.store('b', 'b1');
  await members.timers.settle();
  const again = members.watch('b', position);
  await members.timers.settle();
  expect(takeAll(again).toSorted()).toEqual(['ready 2', 'store a1', 'store b1']);
});

test('a position names what was taken, and nothing more', async () => {
  const members = new Members(['a', 'b']);
  const first = members.watch('a');
  await members.timers.settle();
  takeAll(first);
  for (const key of ['1', '2', '3']) members.store('b', key);
  await members.timers.settle();
  expect(first.take(2).map(lineOf)).toEqual(['store 1', 'store 2']);
  const again = members.watch('b', first.position);
  await members.timers.settle();
  expect(takeAll(again)).toEqual(['ready 2', 'store 1', 'store 2', 'store 3']);
});

test('who goes away before it was told that changes are lost is told when it comes back', async () => {
  const members = new Members(['a']);
  const first = members.watch('a');
  takeAll(first);
  const { position } = first;
  first.close();
  await members.timers.step(70_000);
  const second = members.watch('a', position);
  expect(second.take(1).map(lineOf)).toEqual(['ready 1']);
  const third = members.watch('a', second.position);
  expect(takeAll(third)).toEqual(['ready 1', 'lost a behind']);
});

test('a member that is cut off is told once, and nothing is lost if it comes back in time', async () => {
  const members = new Members(['a', 'b']);
  const watch = members.watch('a');
  await members.timers.settle();
  takeAll(watch);
  members.cut('b');
  await members.timers.step(5000);
  expect(takeAll(watch)).toEqual(['lost b unreachable']);
  members.store('b', 'meanwhile');
  members.heal('b');
  await members.timers.step(1000);
  expect(takeAll(watch)).toEqual(['store meanwhile']);
});

test('a member that has restarted is told, and heard of from then on', async () => {
  const members = new Members(['a', 'b']);
  const watch = members.watch('a');
  await members.timers.settle();
  takeAll(watch);
  members.cut('b');
  await members.timers.step(3000);
  members.restart('b');
  members.heal('b');
  await members.timers.step(1000);
  members.store('b', 'new');
  await members.timers.settle();
  expect(takeAll(watch)).toEqual(['lost b unreachable', 'lost b restarted']);
  await members.timers.settle();
  expect(takeAll(watch)).toEqual(['store new']);
});

test('a member that comes is watched, one that goes is not asked any more', async () => {
  const members = new Members(['a', 'b']);
  members.adopt('a', ['a']);
  const watch = members.watch('a');
  await members.timers.settle();
  expect(takeAll(watch)).toEqual(['ready 1']);
  members.adopt('a', ['a', 'b']);
  await members.timers.settle();
  members.store('b', 'seen');
  await members.timers.settle();
  expect(takeAll(watch)).toEqual(['lost b restarted']);
  await members.timers.settle();
  expect(takeAll(watch)).toEqual(['store seen']);
  members.adopt('a', ['a']);
  members.store('b', 'unseen');
  await members.timers.step(5000);
  expect(takeAll(watch)).toEqual([]);
});

test('a node that closes keeps nothing that is to happen later', async () => {
  const members = new Members(['a']);
  const watch = members.watch('a');
  members.close('a');
  watch.close();
  await members.timers.settle();
  expect(members.timers.isIdle).toBe(true);
});

test('when all have left nothing is left to happen, after a while', async () => {
  const members = new Members(['a', 'b']);
  const watch = members.watch('a');
  await members.timers.settle();
  watch.close();
  watch.close();
  await members.timers.step(62_000);
  expect(members.timers.isIdle).toBe(true);
});

/** What a client knows that follows a watch, and lists the keys of a member when it has lost some. */
class Follower {
  readonly known = new Map<string, string>();
  readonly #members: Members;
  #watch: Watch;

  constructor(members: Members, at: string) {
    this.#members = members;
    this.#watch = members.watch(at);
    for (const name of members.names) this.#list(name);
  }

  take(eventsMax: number): void {
    for (const event of this.#watch.take(eventsMax)) {
      if (event.kind === 'lost') this.#list(event.member);
      else if (event.kind === 'store') this.known.set(event.key, versionOf(event.meta));
      else if (event.kind !== 'ready') this.known.delete(event.key);
    }
  }

  takeAll(): void {
    while (this.#watch.hasNews) this.take(10);
  }

  resume(at: string): void {
    const { position } = this.#watch;
    this.#watch.close();
    this.#watch = this.#members.watch(at, position);
  }

  #list(member: string): void {
    for (const key of this.known.keys()) {
      if (key.startsWith(`${member}:`)) this.known.delete(key);
    }
    for (const [key, version] of this.#members.versions(member)) this.known.set(key, version);
  }
}

test('property: a follower ends with what the members have, whatever happens to it and them', async () => {
  const names = ['a', 'b', 'c'];
  const name = fc.constantFrom(...names);
  const step = fc.oneof(
    fc.record({
      do: fc.constantFrom('store', 'delete'),
      name,
      key: fc.constantFrom('1', '2', '3'),
    }),
    fc.record({ do: fc.constantFrom('cut', 'heal', 'restart', 'resume'), name }),
    fc.record({ do: fc.constant('take'), count: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(0, 600, 3000, 70_000) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), name, async (steps, start) => {
      const members = new Members(names);
      const follower = new Follower(members, start);
      let at = start;
      for (const each of steps) {
        if ('count' in each) follower.take(each.count);
        else if ('ms' in each) await members.timers.step(each.ms);
        else if ('key' in each) {
          const key = `${each.name}:${each.key}`;
          if (each.do === 'store') members.store(each.name, key);
          else members.delete(each.name, key);
        } else if (each.do === 'cut') members.cut(each.name);
        else if (each.do === 'heal') members.heal(each.name);
        else if (each.do === 'resume') follower.resume((at = each.name));
        // The node that is asked cannot start anew under its client.
        else if (each.name !== at) members.restart(each.name);
      }
      for (const healed of names) members.heal(healed);
      for (let round = 0; round < 5; round++) {
        await members.timers.step(2000);
        follower.takeAll();
      }
      const expected = names.flatMap((each) => [...members.versions(each)]);
      expect(Object.fromEntries(follower.known)).toEqual(Object.fromEntries(expected));
    }),
    { numRuns: 300 },
  );
});
