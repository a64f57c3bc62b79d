// Whole clusters in one process: the real code over pipes in memory, by a clock that is stepped.
import { pino } from 'pino';
import { expect, test } from 'vitest';

import { isFailure } from '../base/errors.ts';
import { Scheduler } from '../base/scheduler.ts';
import type { KeptReply, Reply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import { Store } from '../store/store.ts';
import { FakeNetwork } from '../../test/support/fake-network.ts';
import { numbersOf, seededRandom } from '../../test/support/random.ts';
import { SteppedTimers } from '../../test/support/stepped-timers.ts';
import { loading, storing, valueOf } from '../../test/support/store.ts';
import { Cluster } from './cluster.ts';

const PARTITIONS = 64;

const KEYS = Array.from({ length: 24 }, (_, n) => `key ${n}`);

/** How long a request is waited for, longer than any may take. */
const PATIENCE_MS = 10_000;

/** A node that runs. */
interface Running {
  readonly cluster: Cluster;
  readonly store: Store;
  isMember: boolean;
  isGone: boolean;
}

/** Up to nine nodes, each with the others in its -join that are there when it starts. */
class World {
  readonly timers = new SteppedTimers();
  readonly network = new FakeNetwork(this.timers, { latencyMs: 1 });
  readonly nodes = new Map<string, Running>();
  readonly #random: () => number;
  #lives = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  start(address: string, join: readonly string[]): void {
    const number = `${++this.#lives}`.padStart(12, '0');
    const life = `00000000-0000-4000-8000-${number}`;
    const self = { id: life, addr: address };
    const { timers } = this;
    const clock = (): number => Math.floor(timers.nowMs() * 1000) + 1_000_000;
    const scheduler = new Scheduler({
      nowMs: () => timers.nowMs(),
      defer: (run) => timers.soon(run),
    });
    const random = numbersOf(this.#lives);
    const store = new Store({
      node: self,
      clock,
      scheduler,
      partitions: PARTITIONS,
      maxMemoryBytes: 0,
      eviction: 'none',
      random,
    });
    const cluster = new Cluster({
      self,
      life,
      partitions: PARTITIONS,
      join,
      joinRetries: 1000,
      migrationBytesPerSecond: 1024 * 1024,
      clock,
      scheduler,
      store,
      transport: this.network.transport(address),
      timers,
      random,
      log: pino({ level: 'silent' }),
      onGone: () => this.kill(address),
    });
    const node: Running = { cluster, store, isMember: false, isGone: false };
    this.nodes.set(address, node);
    void this.#follow(node, address);
  }

  /** Notes when a node has become a member. */
  async #follow(node: Running, address: string): Promise<void> {
    await node.cluster.start(address);
    node.isMember = true;
  }

  /** Ends a node, as a crash does. */
  kill(address: string): void {
    const node = this.nodes.get(address);
    if (node === undefined) return;
    this.nodes.delete(address);
    node.isGone = true;
    this.network.kill(address);
    node.cluster.close();
  }

  /** The addresses of the members. */
  members(): string[] {
    return [...this.nodes].filter(([, { isMember }]) => isMember).map(([address]) => address);
  }

  /** Asks a node; undefined if it is gone before it answers. */
  async ask(address: string, request: Request): Promise<Reply | undefined> {
    const node = this.nodes.get(address)!;
    const reply = node.cluster.serve(request);
    if (!(reply instanceof Promise)) return reply;
    const settled: KeptReply[] = [];
    void reply.then((late) => settled.push(late));
    for (let leftMs = PATIENCE_MS; settled.length === 0 && !node.isGone; leftMs -= 5) {
      if (leftMs <= 0) throw new Error(`${address} never answers`);
      await this.timers.step(5);
    }
    return settled[0];
  }

  /** Lets time go on until all nodes are members of one topology and nothing moves. */
  async settle(): Promise<void> {
    for (let leftMs = 120_000; leftMs > 0; leftMs -= 250) {
      const views = [...this.nodes.values()].map(({ cluster }) => cluster.topology.view(false));
      const facts = views.map((view) => {
        const { epoch, is_settled, change } = view as Record<string, unknown>;
        return JSON.stringify([epoch, is_settled, change]);
      });
      const isOne = new Set(facts).size === 1 && /^\[\d+,true,null\]$/.test(facts[0]!);
      if (isOne && this.members().length === this.nodes.size) return;
      await this.timers.step(250);
    }
    const views = [...this.nodes].map(([address, { cluster }]) => [
      address,
      cluster.topology.view(false),
    ]);
    throw new Error(`it never settles: ${JSON.stringify(views)}`);
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!;
  }
}

async function formed(world: World, addresses: readonly string[]): Promise<void> {
  for (const address of addresses) world.start(address, addresses);
  await world.settle();
}

test('a third node joins two, and one leaves: every key is where it belongs, and nowhere else', async () => {
  const world = new World(numbersOf(1));
  await formed(world, ['a:1', 'b:1']);
  for (const key of KEYS) await world.ask('a:1', storing(key, `"${key}"`));
  world.start('c:1', ['a:1']);
  await world.timers.step(1000);
  await world.settle();
  for (const key of KEYS) {
    const replies = await Promise.all(world.members().map((one) => world.ask(one, loading(key))));
    for (const reply of replies) expect(valueOf(reply!)).toBe(`"${key}"`);
  }
  const c = world.nodes.get('c:1')!.store;
  expect(c.stats().records).toBeGreaterThan(0);
  const records = (): number =>
    [...world.nodes.values()].reduce((sum, { store }) => sum + store.stats().records, 0);
  expect(records()).toBe(KEYS.length);

  world.nodes.get('a:1')!.cluster.leave();
  await world.timers.step(2000);
  await world.settle();
  expect(world.members()).toEqual(['b:1', 'c:1']);
  expect(records()).toBe(KEYS.length);
  for (const { store } of world.nodes.values()) store.check();
});

const ADDRESSES = ['a:1', 'b:1', 'c:1', 'd:1'];

/** What each key holds, as far as the clients of a world know; null for what they cannot know any more. */
type Expected = Map<string, string | null>;

/** One thing happens in a world. */
async function happen(world: World, expected: Expected, random: () => number): Promise<void> {
  const dice = random();
  const members = world.members();
  const absent = ADDRESSES.filter((address) => !world.nodes.has(address));
  if (dice < 0.05 && absent.length > 0) {
    world.start(world.pick(absent), [...world.nodes.keys()]);
  } else if (dice < 0.08 && members.length > 2) {
    world.nodes.get(world.pick(members))!.cluster.leave();
  } else if (dice < 0.1 && world.nodes.size > 2) {
    world.kill(world.pick([...world.nodes.keys()]));
    // What it had is gone, and nobody can say what that was.
    for (const [key, value] of expected) if (value !== null) expected.delete(key);
  } else if (dice < 0.14) {
    world.network.break(world.pick(ADDRESSES), world.pick(ADDRESSES));
  } else if (dice < 0.16) {
    const [from, to] = [world.pick(ADDRESSES), world.pick(ADDRESSES)];
    world.network.cut(from, to);
    await world.timers.step(random() * 3000);
    world.network.heal(from, to);
  } else if (dice < 0.3) {
    await world.timers.step(random() * 300);
  } else if (members.length > 0) {
    await use(world, expected, members, random);
  }
}

/** A client stores or loads a key, and knows what it may see. */
async function use(
  world: World,
  expected: Expected,
  members: readonly string[],
  random: () => number,
): Promise<void> {
  const key = world.pick(KEYS);
  const before = expected.get(key);
  const value = `${Math.floor(random() * 2 ** 32)}`;
  const isStore = random() < 0.5;
  const reply = await world.ask(world.pick(members), isStore ? storing(key, value) : loading(key));
  if (before === null) return;
  const isDone = reply?.status === 'ok';
  if (isStore) {
    // What may or may not have been done may also be done yet.
    const isUnknown = reply === undefined || (isFailure(reply) && reply.code === 'OUTCOME_UNKNOWN');
    if (isDone) expected.set(key, value);
    else if (isUnknown) expected.set(key, null);
  } else if (before !== undefined && before === expected.get(key)) {
    if (isDone) expect(valueOf(reply)).toBe(before);
    else expect(reply).not.toMatchObject({ code: 'KEY_NOT_FOUND' });
  }
}

test('worlds at random: no acknowledged write is lost but with its owner, and every change ends', async () => {
  const random = seededRandom('worlds of clusters');
  for (let count = 0; count < 8; count++) {
    const world = new World(random);
    const expected: Expected = new Map();
    await formed(world, ADDRESSES.slice(0, 2));
    for (let left = 200; left > 0; left--) await happen(world, expected, random);
    for (const address of ADDRESSES) {
      if (!world.nodes.has(address)) world.start(address, ADDRESSES);
    }
    await world.timers.step(5000);
    await world.settle();
    // Those who were to leave may have left meanwhile.
    expect(world.members().length).toBeGreaterThan(0);
    for (const { store } of world.nodes.values()) store.check();
    for (const address of ADDRESSES) world.kill(address);
  }
}, 120_000);
