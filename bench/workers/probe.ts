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
  /** How many of them there were of each status and detail; status 0 where there was no answer. */
  readonly kinds: Readonly<Record<string, number>>;
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
  const kinds: Record<string, number> = {};
  let errors = 0;
  const load = async (n: number, dueMs: number): Promise<void> => {
    const kind = await ask(keys[n % keys.length]!);
    if (kind !== undefined) {
      errors++;
      kinds[kind] = (kinds[kind] ?? 0) + 1;
    }
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
  return { tookMs, errors, kinds };
}

/** Resolves when all of an answer is there, with what it is where it is not 200. */
function ask(key: string): Promise<string | undefined> {
  const path = `/v1/keys/${key}`;
  return new Promise((resolve) => {
    request({ host, port, agent, path, timeout: PATIENCE_MS }, (response) => {
      let text = '';
      response
        .setEncoding('utf8')
        .on('data', (chunk: string) => (text += chunk))
        .on('end', () => {
          const { statusCode } = response;
          resolve(statusCode === 200 ? undefined : `${statusCode} ${detailOf(text)}`);
        });
    })
      .on('timeout', () => resolve('0 timeout'))
      .on('error', ({ message }) => resolve(`0 ${message}`))
      .end();
  });
}

/** What a failure says, whatever address it names. */
function detailOf(problem: string): string {
  const detail = /"detail":"([^"]*)"/.exec(problem)?.[1] ?? problem;
  return detail.replace(/[\d.]+:\d+/g, 'A').slice(0, 100);
}
