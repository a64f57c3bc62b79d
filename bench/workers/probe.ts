/** A client that asks for small values at a fixed pace, and measures from when it was to ask. */

import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

import { nextCommand, report, workerParameters } from '../processes.ts';

export interface ProbeParameters {
  readonly host: string;
  readonly port: number;
  readonly keys: readonly string[];
  readonly perSecond: number;
  readonly seconds: number;
}

/** The message for each measurement that was asked for. */
export interface ProbeResult {
  readonly tookMs: number[];
  /** Answers that were not 200. */
  readonly errors: number;
}

const PATIENCE_MS = 20_000;

const { host, port, keys, perSecond, seconds } = workerParameters() as ProbeParameters;
const agent = new Agent({ keepAlive: true });

for (;;) {
  await nextCommand();
  report(await measure());
}

async function measure(): Promise<ProbeResult> {
  const tookMs: number[] = [];
  let errors = 0;
  const load = async (n: number, dueMs: number): Promise<void> => {
    const status = await ask(keys[n % keys.length]!);
    if (status !== 200) errors++;
    tookMs.push(performance.now() - dueMs);
  };
  const loads: Promise<void>[] = [];
  const startMs = performance.now();
  for (let n = 0; n < perSecond * seconds; n++) {
    const dueMs = startMs + (n / perSecond) * 1000;
    while (performance.now() < dueMs) await delay(dueMs - performance.now());
    loads.push(load(n, dueMs));
  }
  await Promise.all(loads);
  return { tookMs, errors };
}

/** The status of an answer, when all of it is there; 0 where there was none. */
function ask(key: string): Promise<number> {
  const path = `/v1/keys/${key}`;
  return new Promise((resolve) => {
    request({ host, port, agent, path, timeout: PATIENCE_MS }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode!));
    })
      .on('timeout', () => resolve(0))
      .on('error', () => resolve(0))
      .end();
  });
}
