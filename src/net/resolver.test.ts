import type { LookupAddress } from 'node:dns';
import { expect, test } from 'vitest';

import { SteppedTimers } from '../../test/support/stepped-timers.ts';
import { Resolver, type Lookup } from './resolver.ts';

/** The look-ups that are under way, to be answered by the test. */
class Asked {
  readonly names: string[] = [];
  readonly #open = new Map<string, Parameters<Lookup>[1]>();

  readonly lookup: Lookup = (name, done) => {
    this.names.push(name);
    this.#open.set(name, done);
  };

  answer(name: string, ...addresses: string[]): void {
    const done = this.#open.get(name)!;
    this.#open.delete(name);
    if (addresses.length === 0) done(new Error('ENOTFOUND'), []);
    else
      done(
        null,
        addresses.map((address) => ({ address, family: 4 })),
      );
  }
}

function scene() {
  const timers = new SteppedTimers();
  const asked = new Asked();
  const resolver = new Resolver(asked.lookup, timers);
  const got: string[] = [];
  const resolve = (name: string): void =>
    resolver.resolve(name, (outcome) => got.push(`${name}: ${describe(outcome)}`));
  return { timers, asked, got, resolve };
}

function describe(outcome: readonly LookupAddress[] | Error): string {
  if (outcome instanceof Error) return outcome.message;
  return outcome.map(({ address }) => address).join();
}

test('an address is no name, and is never looked up', () => {
  const { asked, got, resolve } = scene();
  for (const address of ['127.0.0.1', '::1']) resolve(address);
  expect(got).toEqual(['127.0.0.1: 127.0.0.1', '::1: ::1']);
  expect(asked.names).toEqual([]);
});

test('whoever asks for a name that is being looked up waits for the same answer', () => {
  const { asked, got, resolve } = scene();
  for (let n = 0; n < 100; n++) resolve('node1');
  expect(asked.names).toEqual(['node1']);
  asked.answer('node1', '10.0.0.1', '10.0.0.2');
  expect(got).toEqual(Array(100).fill('node1: 10.0.0.1,10.0.0.2'));
});

test('names that hang hold up no other, and never one that was found before', async () => {
  const { timers, asked, got, resolve } = scene();
  resolve('known');
  asked.answer('known', '10.0.0.1');
  resolve('hangs 1');
  resolve('good');
  asked.answer('good', '10.0.0.2');
  expect(got).toEqual(['known: 10.0.0.1', 'good: 10.0.0.2']);
  resolve('hangs 2');
  resolve('known');
  await timers.step(300);
  expect(got.at(-1)).toBe('known: 10.0.0.1');
});

test('a name that is gone from the system leads where it led before, a new answer counts', async () => {
  const { timers, asked, got, resolve } = scene();
  resolve('node1');
  asked.answer('node1', '10.0.0.1');
  resolve('node1');
  asked.answer('node1');
  resolve('node1');
  asked.answer('node1', '10.0.0.9');
  expect(got).toEqual(['node1: 10.0.0.1', 'node1: 10.0.0.1', 'node1: 10.0.0.9']);
  await timers.step(1000);
  expect(got).toHaveLength(3);
  expect(timers.isIdle).toBe(true);
});

test('a name that was never found is a failure, and is looked up anew the next time', () => {
  const { asked, got, resolve } = scene();
  resolve('nowhere');
  asked.answer('nowhere');
  resolve('nowhere');
  asked.answer('nowhere', '10.0.0.1');
  expect(got).toEqual(['nowhere: ENOTFOUND', 'nowhere: 10.0.0.1']);
});

test('names that are remembered are bounded', () => {
  const { asked, resolve } = scene();
  for (let n = 0; n < 3000; n++) {
    resolve(`name ${n}`);
    asked.answer(`name ${n}`, '10.0.0.1');
  }
  asked.names.length = 0;
  resolve('name 0');
  expect(asked.names).toEqual(['name 0']);
});

test('a name may lead to several hosts, each of which may have an address of each family', async () => {
  const timers = new SteppedTimers();
  const both: LookupAddress[] = [
    { address: '::1', family: 6 },
    { address: '10.0.0.1', family: 4 },
    { address: '::2', family: 6 },
  ];
  const found = new Resolver((_, done) => done(null, both), timers);
  expect(await found.addressesOf('nodes')).toEqual(['::1', '::2']);
  const missing = new Resolver((_, done) => done(new Error('ENOTFOUND'), []), timers);
  expect(await missing.addressesOf('nodes')).toEqual([]);
  const hanging = new Resolver(() => {}, timers).addressesOf('nodes');
  await timers.step(2000);
  expect(await hanging).toEqual([]);
});

test('an address of several hosts stands for all of them, others for themselves, none twice', async () => {
  const hosts = new Map([
    ['nodes', ['10.0.0.1', '10.0.0.2']],
    ['node1', ['10.0.0.1']],
    ['gone', []],
  ]);
  const lookup: Lookup = (name, done) => {
    const found = hosts.get(name)!.map((address) => ({ address, family: 4 }));
    done(found.length === 0 ? new Error('ENOTFOUND') : null, found);
  };
  const resolver = new Resolver(lookup, new SteppedTimers());
  const names = ['nodes', 'node1', 'gone', '10.0.0.2', '10.0.0.3'];
  const expanded = await resolver.expand(names.map((host) => ({ host, port: 1 })));
  expect(expanded.map(({ host }) => host)).toEqual([
    '10.0.0.1',
    '10.0.0.2',
    'node1',
    'gone',
    '10.0.0.3',
  ]);
});
