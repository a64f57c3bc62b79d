import { expect, test } from 'vitest';

import { SteppedLoop } from '../../test/support/stepped-loop.ts';
import { isFailure } from './errors.ts';
import { LONG_WORK_MAX } from './limits.ts';
import { Lane, Scheduler, type WorkKind } from './scheduler.ts';

/** Work of `pieces` that take 1 ms each, noted by `name` in `log`. */
function* work(loop: SteppedLoop, log: string[], name: string, pieces: number) {
  for (let piece = 0; piece < pieces; piece++) {
    loop.ms += 1;
    log.push(name);
    yield;
  }
  return name;
}

function setUp() {
  const loop = new SteppedLoop();
  const scheduler = new Scheduler(loop);
  const log: string[] = [];
  const start = (name: string, pieces: number, kind: WorkKind = 'client', isGone = () => false) =>
    scheduler.run(kind, work(loop, log, name, pieces), isGone);
  return { loop, scheduler, log, start };
}

test('work alone goes on at once, for 2 ms a turn', async () => {
  const { loop, log, start } = setUp();
  const done = start('a', 5);
  expect(log.join('')).toBe('aa');
  await loop.turn();
  expect(log.join('')).toBe('aaaa');
  await loop.turn();
  expect(await done).toBe('a');
  await loop.turn();
  expect(loop.isIdle).toBe(true);
});

test('all work together has 2 ms a turn, and takes turns', async () => {
  const { loop, log, start } = setUp();
  const all = Promise.all(['a', 'b', 'c'].map((name) => start(name, 4)));
  const turns = [log.splice(0).join('')];
  while (!loop.isIdle) {
    await loop.turn();
    turns.push(log.splice(0).join(''));
  }
  expect(turns.filter((turn) => turn !== '')).toEqual(['aa', 'aa', 'bb', 'cc', 'bb', 'cc']);
  expect(await all).toEqual(['a', 'b', 'c']);
});

test('work that comes in the middle of a turn waits if others do', async () => {
  const { loop, log, start } = setUp();
  void start('a', 4);
  void start('b', 1);
  await loop.turn();
  void start('c', 1);
  expect(log.join('')).toBe('aaaa');
  while (!loop.isIdle) await loop.turn();
  expect(log.join('')).toBe('aaaabc');
});

test('the number of one kind does not hold up another', async () => {
  const { loop, log, start } = setUp();
  for (let i = 0; i < 50; i++) void start('c', 100);
  void start('p', 4, 'peer');
  void start('u', 4, 'upkeep');
  log.length = 0;
  for (let i = 0; i < 6; i++) await loop.turn();
  expect(log.filter((name) => name === 'p')).toHaveLength(4);
  expect(log.filter((name) => name === 'u')).toHaveLength(4);
});

test('work stops when its client has gone, while it runs and while it waits', async () => {
  const { loop, log, start } = setUp();
  let isGone = false;
  const running = start('a', 100, 'client', () => isGone);
  const waiting = start('b', 100, 'client', () => isGone);
  const other = start('c', 3);
  await loop.turn();
  await loop.turn();
  isGone = true;
  while (!loop.isIdle) await loop.turn();
  expect(log.join('')).toBe('aaaabbccc');
  expect(await running).toMatchObject({ code: 'CLIENT_GONE' });
  expect(await waiting).toMatchObject({ code: 'CLIENT_GONE' });
  expect(await other).toBe('c');
});

test('past the bound new work is refused and what waits is not', async () => {
  const { loop, scheduler, start } = setUp();
  const all = [start('a', 3)];
  for (let i = 0; i < LONG_WORK_MAX - 2; i++) all.push(start('b', 1));
  expect(isFailure(scheduler.enter('client'))).toBe(false);
  all.push(start('b', 1));
  expect(scheduler.enter('client')).toMatchObject({ code: 'OVERLOADED' });
  expect(await start('c', 1)).toMatchObject({ code: 'OVERLOADED' });
  expect(scheduler.enter('peer')).toBeInstanceOf(Lane);
  while (!loop.isIdle) await loop.turn();
  const outcomes = await Promise.all(all);
  expect(outcomes.filter((outcome) => typeof outcome === 'string')).toHaveLength(outcomes.length);
});

test('work that waits for something else takes no turn', async () => {
  const { loop, scheduler, log, start } = setUp();
  const lane = scheduler.enter('client') as Lane;
  expect(await lane.share()).toBe(true);
  await loop.turn();
  expect(loop.isIdle).toBe(true);
  void start('a', 2);
  expect(log.join('')).toBe('aa');
  await loop.turn();
  let isLet = false;
  void Promise.resolve(lane.share()).then((goesOn) => (isLet = goesOn));
  expect(isLet).toBe(false);
  await loop.turn();
  expect(isLet).toBe(true);
});

test('a defect in a piece rejects and holds up nobody', async () => {
  const { loop, scheduler, start } = setUp();
  const steps = (function* (): Generator<void, string> {
    yield;
    throw new Error('broken');
  })();
  await expect(scheduler.run('client', steps)).rejects.toThrow('broken');
  const other = start('a', 3);
  while (!loop.isIdle) await loop.turn();
  expect(await other).toBe('a');
});
