import fc from 'fast-check';
import { expect, test } from 'vitest';

import { SteppedTimers } from '../../test/support/stepped-timers.ts';
import type { Key } from '../base/key.ts';
import type { Change, Sink } from './change.ts';
import { History, type HistoryKind, type News, type Watcher } from './history.ts';
import { isOfInterest, type Interest } from './interest.ts';
import { NO_META } from './reply.ts';

const ALL: Interest = { keys: [], prefixes: ['' as Key] };

function changeOf(kind: HistoryKind, key: string): Change {
  const common = { partition: 0, number: 1 };
  if (kind !== 'store') return { kind: 'remove', cause: kind, key: key as Key, ...common };
  const value = { bytes: Buffer.from('1'), start: 0, end: 1 };
  const record = { key: key as Key, meta: NO_META, value, deadline: Infinity };
  return { kind: 'put', cause: 'store', record, ...common };
}

const prefixes = (...names: string[]): Interest => ({ keys: [], prefixes: names as Key[] });

/** A history, and how to change something and let those who watch hear of it. */
function setUp() {
  const timers = new SteppedTimers();
  const followers = new Set<Sink>();
  const store = {
    attach: (sink: Sink) => void followers.add(sink),
    detach: (sink: Sink) => void followers.delete(sink),
  };
  const history = new History(store, timers);
  const change = (kind: HistoryKind, key: string): void => {
    for (const follower of followers) void follower.apply(changeOf(kind, key));
  };
  return { timers, followers, history, change, settle: () => timers.settle() };
}

const told = (news: News) =>
  news === 'behind' ? news : news.map(({ kind, key }) => `${kind} ${key}`);

function takeAll(watcher: Watcher): string[] {
  const all: string[] = [];
  while (watcher.hasNews) all.push(...[told(watcher.take(100))].flat());
  return all;
}

test('a watcher is told of what is of interest, once a turn, and of nothing before it came', async () => {
  const { history, change, settle } = setUp();
  const early = history.watch(ALL, undefined, () => {});
  change('store', 'a1');
  let calls = 0;
  const watcher = history.watch(prefixes('a'), undefined, () => calls++);
  expect(watcher.hasNews).toBe(false);
  for (const key of ['a2', 'b', 'a3']) change('store', key);
  change('delete', 'a2');
  await settle();
  expect(calls).toBe(1);
  expect(told(watcher.take(100))).toEqual(['store a3', 'delete a2']);
  expect(watcher.hasNews).toBe(false);
  change('evict', 'b');
  await settle();
  expect(calls).toBe(1);
  expect(watcher.position).toBe(history.latest);
  expect(takeAll(early)).toEqual(['store a1', 'store a3', 'delete a2', 'evict b']);
});

test('a watcher goes on behind a change', async () => {
  const { history, change, settle } = setUp();
  const first = history.watch(ALL, undefined, () => {});
  change('store', 'a');
  await settle();
  first.take(1);
  const { position } = first;
  for (const key of ['b', 'c']) change('store', key);
  await settle();
  expect(history.reaches(ALL, position)).toBe(true);
  expect(takeAll(history.watch(ALL, position, () => {}))).toEqual(['store b', 'store c']);
});

test('what nobody watches takes no room of what is watched', async () => {
  const { history, change, settle } = setUp();
  const watcher = history.watch(prefixes('a'), undefined, () => {});
  change('store', 'a');
  for (let n = 0; n < 100_000; n++) change('store', 'b');
  await settle();
  expect(takeAll(watcher)).toEqual(['store a']);
});

test('who did not take in time what it was told of is behind, and then goes on', async () => {
  const { history, change, settle } = setUp();
  const others = history.watch(prefixes('b'), undefined, () => {});
  const watcher = history.watch(prefixes('a'), undefined, () => {});
  const { position } = watcher;
  change('store', 'a');
  await settle();
  for (let n = 0; n < 65_536; n++) change('store', `b${n}`);
  await settle();
  expect(history.reaches(prefixes('a'), position)).toBe(false);
  for (const each of [watcher, others]) {
    expect(told(each.take(100))).toBe('behind');
    expect(each.hasNews).toBe(false);
  }
  change('store', 'a2');
  await settle();
  expect(takeAll(watcher)).toEqual(['store a2']);
});

test('a watcher takes as much as it wants at a time', async () => {
  const { history, change, settle } = setUp();
  const watcher = history.watch(ALL, undefined, () => {});
  const start = watcher.position;
  for (const key of ['a', 'b', 'a', 'c', 'b']) change('store', key);
  await settle();
  expect(told(watcher.take(1))).toEqual(['store a']);
  expect(watcher.position).toBe(start + 1);
  expect(told(watcher.take(2))).toEqual(['store b', 'store a']);
  expect(watcher.position).toBe(start + 3);
  expect(told(watcher.take(2))).toEqual(['store c', 'store b']);
  expect(watcher).toMatchObject({ hasNews: false, position: start + 5 });
});

test('long keys take the place of many', async () => {
  const { history, change, settle } = setUp();
  const start = history.watch(ALL, undefined, () => {}).position;
  for (let n = 0; n < 3000; n++) change('store', `${n}`.padStart(4096, 'k'));
  await settle();
  expect(history.reaches(ALL, start + 900)).toBe(false);
  expect(history.reaches(ALL, start + 1000)).toBe(true);
});

test('what somebody has watched is remembered for a minute, then nothing follows the store', async () => {
  const { timers, followers, history, change, settle } = setUp();
  const first = history.watch(prefixes('a'), undefined, () => {});
  const { position } = first;
  first.close();
  await timers.step(59_000);
  change('store', 'a1');
  await settle();
  expect(history.reaches(prefixes('a'), position)).toBe(true);
  const second = history.watch(prefixes('a'), position, () => {});
  expect(takeAll(second)).toEqual(['store a1']);
  await timers.step(59_000);
  const { position: last } = second;
  second.close();
  await timers.step(59_000);
  expect(followers.size).toBe(1);
  expect(history.reaches(prefixes('a'), last)).toBe(true);
  await timers.step(1000);
  expect(followers.size).toBe(0);
  expect(timers.isIdle).toBe(true);
  change('store', 'a2');
  expect(history.reaches(prefixes('a'), last)).toBe(false);
  history.watch(prefixes('a'), undefined, () => {});
  expect(history.reaches(prefixes('a'), last)).toBe(false);
});

test('of keys and prefixes that have been left so many are remembered, who was left first goes first', () => {
  const { history } = setUp();
  const starts = Array.from({ length: 6000 }, (_, n) => {
    const name = `${n}`.padEnd(4096, 'x');
    const watcher = history.watch(prefixes(name), undefined, () => {});
    watcher.close();
    return [name, watcher.position] as const;
  });
  expect(history.reaches(prefixes(starts.at(-1)![0]), starts.at(-1)![1])).toBe(true);
  const kept = starts.filter(([name, position]) => history.reaches(prefixes(name), position));
  expect(kept).toEqual(starts.slice(-kept.length));
  expect(kept.length).toBeLessThan(5000);
  expect(kept.length).toBeGreaterThan(3000);
});

test('who has watched some keys has not watched others, but for those that are part of them', async () => {
  const { history, change, settle } = setUp();
  const { position } = history.watch(prefixes('user:'), undefined, () => {});
  change('store', 'order:1');
  change('store', 'user:1');
  await settle();
  const userOne = { keys: ['user:1' as Key], prefixes: [] };
  for (const interest of [prefixes('user:'), prefixes('user:1', 'user:2'), userOne]) {
    expect(history.reaches(interest, position)).toBe(true);
    expect(takeAll(history.watch(interest, position, () => {}))).toEqual(['store user:1']);
  }
  for (const interest of [ALL, prefixes('user'), prefixes('user:', 'order:')]) {
    expect(history.reaches(interest, position)).toBe(false);
    history.watch(interest, undefined, () => {});
    expect(history.reaches(interest, position)).toBe(false);
  }
});

test('a watcher that comes in a turn in which something happened can be resumed from where it began', () => {
  const { history, change } = setUp();
  history.watch(prefixes('a'), undefined, () => {});
  change('store', 'a');
  const { position } = history.watch(prefixes('b'), undefined, () => {});
  expect(history.reaches(prefixes('b'), position)).toBe(true);
});

test('a key that is kept keeps nothing else of what its client sent', () => {
  const { history, change } = setUp();
  const watcher = history.watch(ALL, undefined, () => {});
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 1000; n++) change('store', 'x'.repeat(50_000 + n).slice(20, 60));
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(30_000_000);
  watcher.close();
});

test('who has left is told nothing', async () => {
  const { history, change, settle } = setUp();
  let calls = 0;
  const interest = { keys: ['a' as Key], prefixes: ['b' as Key, 'b' as Key] };
  const watcher = history.watch(interest, undefined, () => calls++);
  watcher.close();
  watcher.close();
  change('store', 'a');
  change('store', 'b');
  await settle();
  expect(calls).toBe(0);
});

test('property: whoever takes when it likes ends with the last of each key that is of interest', async () => {
  const key = fc.constantFrom('a', 'ab', 'abc', 'b', 'ba', '');
  const step = fc.oneof(
    fc.record({ kind: fc.constantFrom<HistoryKind>('store', 'delete', 'expire', 'evict'), key }),
    fc.constant('take' as const),
    fc.constant('settle' as const),
  );
  const interest = fc.record({ keys: fc.array(key), prefixes: fc.array(key) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), interest, async (steps, chosen) => {
      const { history, change, settle } = setUp();
      const watched = chosen as unknown as Interest;
      const watcher = history.watch(watched, undefined, () => {});
      const expected = new Map<string, string>();
      const seen = new Map<string, string>();
      const take = (): void => {
        const news = watcher.take(2);
        for (const event of news === 'behind' ? [] : news) seen.set(event.key, event.kind);
      };
      for (const each of steps) {
        if (each === 'take') take();
        else if (each === 'settle') await settle();
        else {
          change(each.kind, each.key);
          if (isOfInterest(watched, each.key as Key)) expected.set(each.key, each.kind);
        }
      }
      await settle();
      while (watcher.hasNews) take();
      expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(expected));
    }),
  );
});
