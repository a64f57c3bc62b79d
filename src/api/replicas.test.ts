import { expect, test } from 'vitest';

import type { Engine } from '../record/engine.ts';
import { parseReplicas } from './replicas.ts';

const memory = {} as Engine;
const servers = { hasReplicas: true } as Engine;

test.each([
  [undefined, undefined],
  ['0', 0],
  ['1', 1],
  ['16', 16],
])('replicas=%s is %s where there are replicas', (text, replicas) => {
  expect(parseReplicas(text, servers)).toBe(replicas);
});

test.each(['', '-1', '1.5', '17', '1e1', 'all'])('replicas=%s is refused', (text) => {
  expect(parseReplicas(text, servers)).toMatchObject({ code: 'INVALID_PARAMETER' });
});

test('an engine without replicas promises none', () => {
  expect(parseReplicas('1', memory)).toMatchObject({ code: 'NOT_SUPPORTED' });
  expect(parseReplicas('0', memory)).toBe(0);
});
