import fc from 'fast-check';
import { expect, test } from 'vitest';

import { ProtocolError } from '../peer/frame.ts';
import { handle, tell } from './handover.ts';
import { startHandover } from './state.ts';
import type { Told } from './told.ts';
import { readTold } from './told-reader.ts';

const life = '11111111-1111-4111-8111-111111111111';
const clusterId = '22222222-2222-4222-8222-222222222222';

/** What a cluster of one tells, with a plan that it has a part in. */
function toldOf(): Told {
  const start = startHandover('a:1', life, []);
  const told = tell(handle(start, { kind: 'plan', clusterId }).state);
  const next = { ...told.topology!, epoch: 2, before: ['a:1'], members: ['a:1', 'b:1'] };
  const part = { plan: { kind: 'join' as const, who: ['b:1'], next }, phase: 'copying' as const };
  return {
    ...told,
    part: { ...part, reason: '', over: [] },
    progress: { partitions: 4, partitionsDone: 1, bytes: 4000, bytesDone: 1000 },
    wishes: [{ kind: 'leave', who: 'a:1', life }],
    over: [life],
  };
}

test('what a node tells comes back as it was told', () => {
  const told = toldOf();
  expect(readTold(JSON.parse(JSON.stringify(told)))).toEqual(told);
});

const topology = toldOf().topology!;
const part = toldOf().part!;

test.each([
  ['joins', 'a:1'],
  ['joins', ['no port']],
  ['known', ['a:1', 'a:1']],
  ['known', Array.from({ length: 257 }, (_, n) => `a:${n + 1}`)],
  ['hasReachedAll', 1],
  ['topology', { ...topology, epoch: 0 }],
  ['topology', { ...topology, members: [] }],
  ['topology', { ...topology, by: 'me' }],
  ['topology', { ...topology, lives: { 'a:1': 7 } }],
  ['topology', undefined],
  ['joining', 'x'],
  ['promised', -1],
  ['promised', 2 ** 32],
  ['part', { ...part, phase: 'done' }],
  ['part', { ...part, plan: { ...part.plan, kind: 'split' } }],
  ['progress', {}],
  ['progress', { partitions: 4, partitionsDone: 1, bytes: -1, bytesDone: 0 }],
  ['complete', 0.5],
  ['wishes', [{ kind: 'stay', who: 'a:1', life }]],
  ['over', Array.from({ length: 65 }, () => life)],
])('a bad %s is refused: %j', (name, value) => {
  expect(() => readTold({ ...toldOf(), [name]: value })).toThrow(ProtocolError);
});

test('anything at all is read or refused', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(() => readTold(value)).toThrow(ProtocolError);
    }),
  );
});
