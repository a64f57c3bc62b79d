/** A client that asks at a fixed pace, whoever answers or not, and measures from when it was to ask. */

import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

import { ownedKeys } from '../ownership.ts';
import { nextCommand, report, workerParameters } from '../processes.ts';

export interface PacedParameters {
  readonly host: string;
  readonly port: number;
  readonly members: readonly string[];
  /** The member that may fail: a tenth of the requests is for its keys, the rest for the others'. */
  readonly failing: string;
  readonly perSecond: number;
  readonly seconds: number;
}

/** The message for each measurement that was asked for: what every request took. */
export interface PacedResult {
  readonly livingMs: number[];
  readonly failingMs: number[];
}

const KEYS = 200;

const parameters = workerParameters() as PacedParameters;
const { host, port, members, failing, perSecond, seconds } = parameters;
const failingKeys = ownedKeys(members, failing, KEYS);
const [keysA, keysB] = members
  .filter((member) => member !== failing)
  .map((member) => ownedKeys(members, member, KEYS));
const livingKeys = keysA!.flatMap((key, at) => [key, keysB![at]!]);
const agent = new Agent({ keepAlive: true });

for (const key of [...livingKeys, ...failingKeys]) await ask('PUT', key);
for (;;) {
  await nextCommand();
  report(await measure());
}

async function measure(): Promise<PacedResult> {
  const result: PacedResult = { livingMs: [], failingMs: [] };
  const load = async (n: number, dueMs: number): Promise<void> => {
    const isLiving = n % 10 !== 0;
    const keys = isLiving ? livingKeys : failingKeys;
    const status = await ask('GET', keys[n % keys.length]!);
    if (isLiving && status !== 200) throw new Error(`${status} for a living member's key`);
    (isLiving ? result.livingMs : result.failingMs).push(performance.now() - dueMs);
  };
  const loads: Promise<void>[] = [];
  const startMs = performance.now();
  for (let n = 0; n < perSecond * seconds; n++) {
    const dueMs = startMs + (n / perSecond) * 1000;
    while (performance.now() < dueMs) await delay(dueMs - performance.now());
    loads.push(load(n, dueMs));
  }
  await Promise.all(loads);
  return result;
}

/** Resolves with the status when the whole answer is there. */
function ask(method: 'GET' | 'PUT', key: string): Promise<number> {
  const headers = { 'Content-Type': 'application/json' };
  const path = `/v1/keys/${key}`;
  return new Promise((resolve, reject) => {
    request({ host, port, agent, method, path, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode!));
    })
      .on('error', reject)
      .end(method === 'PUT' ? '{"data":1}' : undefined);
  });
}
