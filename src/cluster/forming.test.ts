import { expect, test } from 'vitest';

import { isDeclarable, joiningTopology, knownAddresses, missingAddresses } from './forming.ts';
import { handle, targetsOf, tell, type HandoverEvent } from './handover.ts';
import { startHandover, type Handover } from './state.ts';
import type { Told } from './told.ts';

function after(state: Handover, ...events: HandoverEvent[]): Handover {
  return events.reduce((at, event) => handle(at, event).state, state);
}

/** The node at an address is reached, and tells of itself. */
function meet(address: string, told: Partial<Told>): HandoverEvent[] {
  const life = `life of ${address}`;
  const rest = tell(startHandover(address, life, []));
  return [
    { kind: 'found', dialled: address, address },
    { kind: 'linked', address, life },
    { kind: 'told', address, life, revision: 1, told: { ...rest, ...told } },
  ];
}

const a = startHandover('a', 'life', ['b', 'c']);

test('a node knows whom its -join leads to, over others too, and whom it waits for', () => {
  expect(knownAddresses(a)).toEqual(['a']);
  expect(missingAddresses(a)).toEqual(['b', 'c']);
  const met = after(a, ...meet('b', { joins: ['d'] }));
  expect(knownAddresses(met)).toEqual(['a', 'b', 'd']);
  expect(missingAddresses(met)).toEqual(['c', 'd']);
  const lost = after(met, { kind: 'lost', address: 'b' });
  expect(missingAddresses(lost)).toEqual(['b', 'c']);
});

test('a host name counts as the node that is found there', () => {
  const node = startHandover('a', 'life', ['b.example']);
  const met = after(node, { kind: 'found', dialled: 'b.example', address: 'b' });
  expect(knownAddresses(met)).toEqual(['a', 'b']);
});

test('a stray node that no -join leads to is not waited for', () => {
  const alone = startHandover('a', 'life', []);
  const [, , told] = meet('stray', { joins: ['a', 'more'] });
  expect(knownAddresses(after(alone, told!))).toEqual(['a']);
  expect(isDeclarable(after(alone, told!))).toBe(true);
});

test('a node declares itself alone when it is known who answers at its own address', () => {
  const alone = startHandover('a', 'life', ['a']);
  expect(targetsOf(alone)).toEqual(['a']);
  expect(isDeclarable(alone)).toBe(false);
  const found = after(alone, { kind: 'found', dialled: 'a', address: 'a' });
  expect(targetsOf(found)).toEqual([]);
  expect(isDeclarable(found)).toBe(true);
});

test('only the lowest address declares, and only when all know the very same', () => {
  const known = ['a', 'b', 'c'];
  const all = { hasReachedAll: true, known };
  const met = after(a, ...meet('b', all), ...meet('c', all));
  expect(isDeclarable(met)).toBe(true);
  expect(isDeclarable(after(a, ...meet('b', all)))).toBe(false);
  const behind = meet('c', { hasReachedAll: false, known });
  expect(isDeclarable(after(a, ...meet('b', all), ...behind))).toBe(false);
  const higher = startHandover('x', 'life', ['b']);
  expect(isDeclarable(after(higher, ...meet('b', { ...all, known: ['b', 'x'] })))).toBe(false);
});

test('a cluster that -join leads to is joined, one that a stray node tells of is not', () => {
  const lives = { b: 'life of b' };
  const topology = { clusterId: 'X', epoch: 1, by: 'life of b', members: ['b'], before: [], lives };
  const node = startHandover('a', 'life', ['b']);
  expect(joiningTopology(after(node, ...meet('b', { topology })))).toMatchObject({
    clusterId: 'X',
  });
  const alone = startHandover('a', 'life', ['c']);
  expect(joiningTopology(after(alone, ...meet('b', { topology })))).toBeNull();
});
