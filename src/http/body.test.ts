// A body's memory: as much as has come, whatever was announced.
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { BODIES_IN_FLIGHT_BYTES_MAX } from '../base/limits.ts';
import { ArrivingBody } from './body.ts';
import { BodyBudget } from './budget.ts';

const MIB = 1024 * 1024;

test('a body takes of the budget as it arrives, and until it is freed', () => {
  const budget = new BodyBudget();
  const body = new ArrivingBody(budget, 16 * MIB, 16 * MIB);
  for (let came = 64 * 1024; came <= 16 * MIB; came += 64 * 1024) {
    expect(body.add(Buffer.alloc(64 * 1024, 'x'))).toBeUndefined();
    expect(budget.usedBytes).toBeGreaterThanOrEqual(came);
    expect(budget.usedBytes).toBeLessThanOrEqual(came + 256 * 1024);
  }
  expect(body.finish().equals(Buffer.alloc(16 * MIB, 'x'))).toBe(true);
  expect(budget.usedBytes).toBe(16 * MIB);
  body.free();
  body.free();
  expect(budget.usedBytes).toBe(0);
});

test('bodies that have begun leave the room that they have not filled to others', () => {
  const budget = new BodyBudget();
  const begun = Array.from({ length: 100 }, () => new ArrivingBody(budget, 16 * MIB, 16 * MIB));
  for (const body of begun) expect(body.add(Buffer.alloc(MIB + 1))).toBeUndefined();
  expect(budget.usedBytes).toBeLessThan(BODIES_IN_FLIGHT_BYTES_MAX);
});

test('a large body is mapped, so that the system has all of it back when it is freed', () => {
  const body = new ArrivingBody(new BodyBudget(), 16 * MIB, 16 * MIB);
  expect(body.add(Buffer.alloc(MIB + 1))).toBeUndefined();
  const { buffer } = body.finish();
  expect(buffer).toMatchObject({ resizable: true, byteLength: 16 * MIB });
  body.release();
  expect(buffer.byteLength).toBe(0);
});

test('property: whatever its pieces, and whatever was announced, a body is what came', () => {
  const pieces = fc.array(fc.integer({ min: 1, max: 300_000 }), { maxLength: 20 });
  fc.assert(
    fc.property(pieces, fc.nat(8 * MIB), (sizes, announced) => {
      const budget = new BodyBudget();
      const body = new ArrivingBody(budget, 16 * MIB, announced);
      const all = sizes.map((size, n) => Buffer.alloc(size, n + 1));
      for (const piece of all) expect(body.add(piece)).toBeUndefined();
      expect(body.finish().equals(Buffer.concat(all))).toBe(true);
      body.free();
      expect(budget.usedBytes).toBe(0);
    }),
    { numRuns: 50 },
  );
});
