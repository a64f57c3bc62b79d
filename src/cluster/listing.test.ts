// Lists that go on while partitions move, over real stores.
import { expect, test } from 'vitest';

import { Hand, key, makeStore, serve, storing } from '../../test/support/store.ts';
import { isFailure, type Failure } from '../base/errors.ts';
import type { KeyPage, PageQuery } from '../peer/page.ts';
import type { KeyGroup } from '../record/engine.ts';
import type { Store } from '../store/store.ts';
import { listPartitions, type ListSource, type MemberLister } from './listing.ts';
import { NOT_MINE } from './router.ts';
import { Topology } from './topology.ts';

const PARTITIONS = 16;
const ADDRESSES = ['a:1', 'b:1', 'c:1'];

function topologyOf(epoch: number, members: readonly string[]): Topology {
  const facts = { clusterId: '', epoch, by: '', members, before: [], lives: {} };
  return new Topology(facts, PARTITIONS);
}

/** Members with stores, whose records move at once when the topology changes. */
class Fleet implements ListSource {
  topology = topologyOf(1, ['a:1', 'b:1']);
  readonly stores = new Map<string, Store>(
    ADDRESSES.map((address) => [address, makeStore(new Hand(), { partitions: PARTITIONS })]),
  );
  readonly ids = new Map(ADDRESSES.map((address, at) => [address, `${at}0000000-life`]));
  /** How many pages say that what is asked for has not come yet. */
  late = 0;
  /** At most so many keys are on a page. */
  pageKeys = 7;
  pauses = 0;

  constructor(names: readonly string[]) {
    for (const name of names) serve(this.stores.get(this.owner(name))!, storing(name, '1'));
  }

  listers(topology: Topology): Map<string, MemberLister> {
    return new Map(topology.members.map((address) => [address, this.#lister(address)]));
  }

  pause(): Promise<void> {
    this.pauses++;
    return Promise.resolve();
  }

  move(members: readonly string[]): void {
    const next = topologyOf(this.topology.epoch + 1, members);
    for (const [from, store] of this.stores) {
      for (const name of [...store.list({ prefix: key('') })].flat()) {
        const partition = next.partitionOf(name);
        const to = next.members[next.ownerOf(partition)]!;
        if (to === from) continue;
        const copy = store.transfer.copy(name, partition)!;
        void this.stores.get(to)!.transfer.arrive(copy, partition);
        void store.transfer.remove(name, partition, 'delete');
      }
    }
    this.topology = next;
  }

  owner(name: string): string {
    return this.topology.members[this.topology.ownerOf(this.partition(name))]!;
  }

  partition(name: string): number {
    return this.topology.partitionOf(key(name));
  }

  #lister(address: string): MemberLister {
    const { ids } = this;
    return {
      get id(): string | undefined {
        return ids.get(address);
      },
      page: (query) => (this.late-- > 0 ? NOT_MINE : this.#page(address, query)),
    };
  }

  #page(address: string, query: PageQuery): KeyPage {
    const pieces = this.stores.get(address)!.scan(query, query.from);
    const keys = [...pieces].flatMap((piece) => piece.keys);
    const limit = Math.min(query.limit, this.pageKeys);
    const next = keys.length > limit ? 'after' : undefined;
    return { status: 'page', keys: keys.slice(0, limit), next };
  }
}

const NAMES = Array.from({ length: 400 }, (_, n) => `key ${n}`).toSorted();

const EVERYTHING = { scope: 'cluster', prefix: key(''), cursor: undefined } as const;

/** Lists all; lets something happen whenever so many keys have come. */
async function listAll(
  fleet: Fleet,
  every = Infinity,
  happen = (): void => {},
  cursor?: string,
): Promise<{ found: string[]; failure?: Failure }> {
  const found: string[] = [];
  let left = every;
  for await (const group of listPartitions(fleet, { ...EVERYTHING, cursor })) {
    if (isFailure(group)) return { found, failure: group };
    found.push(...group.keys);
    left -= group.keys.length;
    if (left > 0) continue;
    left = every;
    happen();
  }
  return { found };
}

test.each([40, 10_000])(
  'a list names each key once, with %d keys on a page, whoever has it by then',
  async (pageKeys) => {
    const fleet = new Fleet(NAMES);
    fleet.pageKeys = pageKeys;
    const members = [ADDRESSES, ['a:1', 'c:1'], ['b:1', 'c:1'], ['c:1']];
    const { found, failure } = await listAll(fleet, 100, () => {
      fleet.late = 3;
      if (members.length > 0) fleet.move(members.shift()!);
    });
    expect(failure).toBeUndefined();
    expect(found.toSorted()).toEqual(NAMES);
  },
);

test('a partition that takes several pages must stay where it is until it is listed', async () => {
  const names = NAMES.map((name) => `{tag} ${name}`);
  const stays = new Fleet(names);
  const others = await listAll(stays, 100, () => stays.move([stays.owner('{tag}')]));
  expect(others.failure).toBeUndefined();
  expect(others.found.toSorted()).toEqual(names);
  const moves = new Fleet(names);
  const { found, failure } = await listAll(moves, 100, () => moves.move(['c:1']));
  expect(failure).toMatchObject({ code: 'OWNER_UNAVAILABLE' });
  expect(new Set(found).size).toBe(found.length);
});

test('a cursor is good for any topology, as long as its key stays where it was', async () => {
  const fleet = new Fleet(NAMES);
  const cursors = new Map<string, string>();
  for await (const group of listPartitions(fleet, EVERYTHING)) {
    const { keys } = group as KeyGroup;
    for (const name of keys) cursors.set(name, (group as KeyGroup).cursorAfter(name));
  }
  const before = new Map(NAMES.map((name) => [name, fleet.owner(name)]));
  fleet.move(ADDRESSES);
  const tried = NAMES.filter((_, at) => at % 16 === 0);
  const moved = tried.filter((name) => fleet.owner(name) !== before.get(name));
  expect(moved.length).toBeGreaterThan(0);
  const lists = tried.map(async (name) => {
    const { found, failure } = await listAll(fleet, Infinity, undefined, cursors.get(name));
    return { name, found, failure };
  });
  const refused = (await Promise.all(lists)).filter(({ failure }) => failure !== undefined);
  expect(refused.map(({ name }) => name)).toEqual(moved);
  for (const { failure } of refused) expect(failure!.detail).toContain('its key has moved');
  for (const { name, found } of await Promise.all(lists)) {
    const rest = NAMES.filter((other) => fleet.partition(other) > fleet.partition(name));
    const expected = refused.some((one) => one.name === name) ? [] : rest;
    expect(found).toEqual(expect.arrayContaining(expected));
    expect(found.every((other) => fleet.partition(other) >= fleet.partition(name))).toBe(true);
    expect(found).not.toContain(name);
  }
});

test('a member that restarts, is out of reach or does not get its keys ends the list', async () => {
  const restarts = new Fleet(NAMES);
  const restarted = await listAll(restarts, 100, () => void restarts.ids.set('b:1', 'f0000000'));
  expect(restarted.failure?.detail).toContain('b:1 is not reachable or has restarted');
  const down = new Fleet(NAMES);
  down.ids.delete('b:1');
  const unreached = await listAll(down);
  expect([unreached.found, unreached.failure?.code]).toEqual([[], 'OWNER_UNAVAILABLE']);
  const late = new Fleet(NAMES);
  late.late = Infinity;
  const waited = await listAll(late);
  expect([waited.found, waited.failure?.code]).toEqual([[], 'OWNER_UNAVAILABLE']);
  expect(late.pauses).toBe(100);
});

test('a cursor of a member that has restarted, and what is none, lead nowhere', async () => {
  const fleet = new Fleet(NAMES);
  const list = listPartitions(fleet, EVERYTHING);
  let cursor: string | undefined;
  for await (const group of list) {
    if (isFailure(group) || group.keys.length === 0) continue;
    cursor = group.cursorAfter(group.keys[0]!);
    break;
  }
  for (const address of ADDRESSES) fleet.ids.set(address, 'f0000000');
  for (const tried of [cursor, '*', '', 'MTIz']) {
    const { value } = await listPartitions(fleet, { ...EVERYTHING, cursor: tried }).next();
    expect(value).toMatchObject({ code: 'INVALID_PARAMETER' });
  }
});
