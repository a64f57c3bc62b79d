import fc from 'fast-check';
import { expect, test } from 'vitest';

import { Forming } from './forming.ts';

interface Life {
  readonly id: string;
  readonly forming: Forming;
  /** The addresses that it is linked to. */
  readonly links: Set<string>;
  /** The revision of what it last told. */
  told: number;
}

/**
 * Nodes that form a cluster, and everything that can happen between them, one step at a time. A node
 * tells its state when a link comes up and when the state changes, and never again; what it tells may
 * arrive late and in another order.
 */
class World {
  readonly lives = new Map<string, Life>();
  readonly declared = new Map<string, readonly string[]>();
  readonly #lists: ReadonlyMap<string, readonly string[]>;
  /** What an address that is no node's name leads to. */
  readonly #aliases: ReadonlyMap<string, string>;
  readonly #mail: (() => void)[] = [];
  #started = 0;

  constructor(lists: Record<string, readonly string[]>, aliases: Record<string, string> = {}) {
    this.#lists = new Map(Object.entries(lists));
    this.#aliases = new Map(Object.entries(aliases));
  }

  start(address: string): void {
    this.stop(address);
    this.lives.set(address, {
      id: `life ${this.#started++}`,
      forming: new Forming(address, this.#lists.get(address)!),
      links: new Set(),
      told: 0,
    });
  }

  stop(address: string): void {
    this.lives.delete(address);
    for (const life of this.lives.values()) {
      if (life.links.delete(address)) life.forming.lost(address);
    }
  }

  /** Everything that could happen next. */
  steps(): (() => void)[] {
    const steps = this.#mail.map((deliver, at) => () => {
      this.#mail.splice(at, 1);
      deliver();
    });
    for (const [address, life] of this.lives) {
      for (const target of life.forming.targets()) {
        const found = this.#aliases.get(target) ?? target;
        const peer = this.lives.get(found);
        if (peer === undefined || life.links.has(target)) continue;
        steps.push(() => this.#link(address, life, target, found, peer));
      }
      const members = life.forming.declarable();
      if (members !== undefined) steps.push(() => this.declared.set(address, members));
    }
    return steps.map((step) => () => {
      step();
      this.#tellNews();
    });
  }

  #link(address: string, life: Life, target: string, found: string, peer: Life): void {
    peer.forming.reported(address, life.id, life.forming.state());
    life.forming.found(target, found);
    if (target !== found) return;
    life.links.add(found);
    life.forming.linked(found, peer.id);
    this.#post(peer, found, life, address);
  }

  /** Sends what `from` knows to `to`, to arrive at any time while both live. */
  #post(from: Life, fromAddress: string, to: Life, toAddress: string): void {
    const state = from.forming.state();
    this.#mail.push(() => {
      if (this.lives.get(toAddress) === to) to.forming.reported(fromAddress, from.id, state);
    });
  }

  #tellNews(): void {
    for (const [address, life] of this.lives) {
      const { revision } = life.forming.state();
      if (revision === life.told) continue;
      life.told = revision;
      for (const peer of life.links) this.#post(life, address, this.lives.get(peer)!, peer);
    }
  }

  /** Takes steps, the newest first or the oldest first, until the members are declared. */
  settle(order: 'newest' | 'oldest' = 'oldest'): void {
    for (let count = 0; count < 1000 && this.declared.size === 0; count++) {
      const steps = this.steps();
      steps.at(order === 'newest' ? -1 : 0)?.();
    }
  }
}

const lists: [string, Record<string, string[]>][] = [
  ['all list all', { a: ['a', 'b', 'c'], b: ['a', 'b', 'c'], c: ['a', 'b', 'c'] }],
  ['each lists the others', { a: ['b', 'c'], b: ['a', 'c'], c: ['a', 'b'] }],
  ['one lists all, the others list one', { a: ['a', 'b', 'c'], b: ['a'], c: ['a'] }],
  ['the last lists all, the others list it', { a: ['c'], b: ['c'], c: ['a', 'b', 'c'] }],
  ['each lists the next', { a: ['b'], b: ['c'], c: ['a'] }],
];
const orders = ['abc', 'acb', 'bac', 'bca', 'cab', 'cba'];

test.each(lists)('%s: the lowest address declares all three, whatever the order', (_, joins) => {
  for (const order of orders) {
    const world = new World(joins);
    for (const address of order) {
      expect({ order, declared: [...world.declared] }).toEqual({ order, declared: [] });
      world.start(address);
      world.settle();
    }
    const declared = [['a', ['a', 'b', 'c']]];
    expect({ order, declared: [...world.declared] }).toEqual({ order, declared });
  }
});

test('steps in any order, with restarts between, come to one declaration of all', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...lists),
      fc.array(fc.nat(), { maxLength: 80 }),
      fc.constantFrom<'newest' | 'oldest'>('newest', 'oldest'),
      ([, joins], choices, order) => {
        const world = new World(joins);
        const check = (): void => {
          for (const [address, members] of world.declared) {
            expect([address, members]).toEqual(['a', ['a', 'b', 'c']]);
          }
        };
        for (const choice of choices) {
          const steps = world.steps();
          const at = choice % (steps.length + 6);
          const address = 'abc'[at - steps.length] ?? 'abc'[at - steps.length - 3];
          if (at < steps.length) steps[at]!();
          else if (at < steps.length + 3) world.start(address!);
          else world.stop(address!);
          check();
        }
        for (const address of 'abc') if (!world.lives.has(address)) world.start(address);
        world.settle(order);
        check();
        expect(world.declared.size).toBe(1);
      },
    ),
    { numRuns: 2000 },
  );
});

test('a host name counts as the node that is found there', () => {
  const aliases = { 'a.example': 'a', 'b.example': 'b' };
  const world = new World({ a: ['b.example'], b: ['a.example', 'b.example'] }, aliases);
  for (const address of 'ab') world.start(address);
  world.settle();
  expect([...world.declared]).toEqual([['a', ['a', 'b']]]);
});

test('a node that lists only itself declares itself', () => {
  expect(new Forming('a', ['a']).declarable()).toEqual(['a']);
  expect(new Forming('a', []).declarable()).toEqual(['a']);
});

test('a node tells which addresses it waits for', () => {
  const node = new Forming('a', ['b', 'c']);
  node.found('b', 'b');
  node.linked('b', 'life');
  node.reported('b', 'life', {
    revision: 1,
    known: ['b', 'd'],
    hasReachedAll: true,
    topology: null,
  });
  expect(node.missing()).toEqual(['c', 'd']);
  node.lost('b');
  expect(node.missing()).toEqual(['b', 'c', 'd']);
});
