import fc from 'fast-check';
import { expect, test } from 'vitest';

import { Forming } from './forming.ts';

/** Nodes that form a cluster, and everything that can happen between them, one step at a time. */
class World {
  readonly nodes = new Map<string, Forming>();
  readonly declared = new Map<string, readonly string[]>();
  readonly #lists: ReadonlyMap<string, readonly string[]>;
  /** What an address that is no node's name leads to. */
  readonly #aliases: ReadonlyMap<string, string>;

  constructor(lists: Record<string, readonly string[]>, aliases: Record<string, string> = {}) {
    this.#lists = new Map(Object.entries(lists));
    this.#aliases = new Map(Object.entries(aliases));
  }

  start(address: string): void {
    for (const node of this.nodes.values()) node.lost(address);
    this.nodes.set(address, new Forming(address, this.#lists.get(address)!));
  }

  stop(address: string): void {
    this.nodes.delete(address);
    for (const node of this.nodes.values()) node.lost(address);
  }

  /** Everything that could happen next. */
  steps(): (() => void)[] {
    const steps: (() => void)[] = [];
    for (const [address, node] of this.nodes) {
      for (const target of node.targets()) {
        const found = this.#aliases.get(target) ?? target;
        const peer = this.nodes.get(found);
        if (peer !== undefined) steps.push(() => this.#link(address, node, target, found, peer));
      }
      steps.push(() => {
        const members = node.declarable();
        if (members !== undefined) this.declared.set(address, members);
      });
    }
    return steps;
  }

  #link(address: string, node: Forming, target: string, found: string, peer: Forming): void {
    node.found(target, found);
    if (target === found) node.linked(found);
    node.reported(found, peer.state());
    peer.reported(address, node.state());
  }

  /** Takes every step that can be taken until nothing new comes of it. */
  settle(): void {
    for (let round = 0; round < 20; round++) for (const step of this.steps()) step();
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
      expect([...world.declared], order).toEqual([]);
      world.start(address);
      world.settle();
    }
    expect([...world.declared], order).toEqual([['a', ['a', 'b', 'c']]]);
  }
});

test('steps in any order, with restarts between, come to one declaration of all', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...lists),
      fc.array(fc.nat(), { maxLength: 80 }),
      ([, joins], choices) => {
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
        for (const address of 'abc') if (!world.nodes.has(address)) world.start(address);
        world.settle();
        check();
        expect(world.declared.size).toBe(1);
      },
    ),
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
  node.linked('b');
  node.reported('b', { known: ['b', 'd'], hasReachedAll: true, topology: null });
  expect(node.missing()).toEqual(['c', 'd']);
  node.lost('b');
  expect(node.missing()).toEqual(['b', 'c', 'd']);
});
