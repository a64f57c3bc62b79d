import fc from 'fast-check';
import { expect, test } from 'vitest';

import { SteppedTimers } from '../../test/support/stepped-timers.ts';
import type { Key } from '../base/key.ts';
import type { Change } from './change.ts';
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
  const history = new History(timers);
  const change = (kind: HistoryKind, key: string): void => history.apply(changeOf(kind, key));
  return { history, change, settle: () => timers.settle() };
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
  change('store', 'a1');
  await settle();
  let calls = 0;
  const watcher = history.watch(prefixes('a'), history.latest, () => calls++);
  expect(watcher.hasNews).toBe(false);
  for (const key of ['a2', 'b', 'a3']) change('store', key);
  change('delete', 'a2');
  await settle();
  expect(calls).toBe(1);
  expect(told(watcher.take(100))).toEqual(['store a3', 'delete a2']);
  expect(watcher).toMatchObject({ hasNews: false, position: 5 });
  change('evict', 'b');
  await settle();
  expect(calls).toBe(1);
  expect(watcher.position).toBe(6);
});

test('a watcher goes on behind a change', async () => {
  const { history, change, settle } = setUp();
  for (const key of ['a', 'b', 'c']) change('store', key);
  await settle();
  expect(takeAll(history.watch(ALL, 1, () => {}))).toEqual(['store b', 'store c']);
});

test('who comes back when changes are forgotten is behind, and then goes on', async () => {
  const { history, change, settle } = setUp();
  const watcher = history.watch(prefixes('a'), 0, () => {});
  change('store', 'a');
  for (let n = 0; n < 65_536; n++) change('store', `b${n}`);
  await settle();
  expect(history.reaches(0)).toBe(false);
  expect(told(history.watch(ALL, 0, () => {}).take(100))).toBe('behind');
  expect(told(watcher.take(100))).toBe('behind');
  change('store', 'a2');
  await settle();
  expect(takeAll(watcher)).toEqual(['store a2']);
});

test('a watcher takes as much as it wants at a time', async () => {
  const { history, change, settle } = setUp();
  for (const key of ['a', 'b', 'a', 'c', 'b']) change('store', key);
  await settle();
  const watcher = history.watch(ALL, 0, () => {});
  expect(told(watcher.take(1))).toEqual(['store a']);
  expect(watcher.position).toBe(1);
  expect(told(watcher.take(2))).toEqual(['store b', 'store a']);
  expect(watcher.position).toBe(3);
  expect(told(watcher.take(2))).toEqual(['store c', 'store b']);
  expect(watcher).toMatchObject({ hasNews: false, position: 5 });
});

test('who was told and did not take it in time is behind', async () => {
  const { history, change, settle } = setUp();
  const watcher = history.watch(prefixes('a'), 0, () => {});
  change('store', 'a');
  await settle();
  for (let n = 0; n < 70_000; n++) change('store', 'b');
  await settle();
  expect(told(watcher.take(100))).toBe('behind');
  expect(watcher.hasNews).toBe(false);
});

test('long keys take the place of many', async () => {
  const { history, change, settle } = setUp();
  for (let n = 0; n < 3000; n++) change('store', `${n}`.padStart(4096, 'k'));
  await settle();
  expect(history.reaches(900)).toBe(false);
  expect(history.reaches(1000)).toBe(true);
});

test('after an interruption every position of before is behind', async () => {
  const { history, change, settle } = setUp();
  change('store', 'a');
  await settle();
  const { latest } = history;
  history.interrupt();
  expect(history.reaches(latest)).toBe(false);
  expect(told(history.watch(ALL, latest, () => {}).take(100))).toBe('behind');
  const watcher = history.watch(ALL, history.latest, () => {});
  change('expire', 'b');
  await settle();
  expect(takeAll(watcher)).toEqual(['expire b']);
});

test('who has left is told nothing', async () => {
  const { history, change, settle } = setUp();
  let calls = 0;
  const watcher = history.watch({ keys: ['a' as Key], prefixes: ['b' as Key] }, 0, () => calls++);
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
      const watcher = history.watch(watched, 0, () => {});
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
