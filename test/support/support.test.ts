// The harness itself: what tests rely on before they look at anything.
import { createServer } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';

import { leaseHost, leasePort } from './lease.ts';
import { needs } from './needs.ts';
import { numbersOf, seededRandom } from './random.ts';

afterEach(() => void vi.unstubAllEnvs());

test('no host and no port is leased twice', async () => {
  const hosts = [await leaseHost(), await leaseHost(), await leaseHost()];
  expect(new Set(hosts).size).toBe(3);
  const ports = [await leasePort(), await leasePort(), await leasePort()];
  expect(new Set(ports).size).toBe(3);
  for (const port of ports) {
    await using server = createServer().listen(port);
    await new Promise((resolve) => server.on('listening', resolve));
  }
});

test('a program that is missing is a skipped suite, and an error where CI=true', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  vi.stubEnv('CI', '');
  expect(needs('node')).not.toBe(needs('node', 'no-such-program'));
  expect(warn).toHaveBeenCalledWith('tests are skipped: no-such-program is not installed');
  vi.stubEnv('CI', 'true');
  expect(() => needs('no-such-program')).toThrow('no-such-program is not installed');
});

test('random numbers are had again from the seed that was printed', () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const random = seededRandom('a test');
  const seed = /^a test: MEMHASHD_SEED=(\d+)$/.exec(String(log.mock.calls[0]?.[0]))?.[1];
  const again = numbersOf(Number(seed));
  for (let n = 0; n < 100; n++) {
    const number = random();
    expect(number).toBe(again());
    expect(number >= 0 && number < 1).toBe(true);
  }
});
