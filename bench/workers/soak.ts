/** A store whose records churn for minutes: stored, stored again in other sizes, deleted, expired. */

import { setImmediate as nextTurn } from 'node:timers/promises';

import { systemClock } from '../../src/base/clock.ts';
import { Scheduler } from '../../src/base/scheduler.ts';
import { Maintenance } from '../../src/node/maintenance.ts';
import { report, workerParameters } from '../processes.ts';
import { KeySource, randomFrom, valueOf } from '../records.ts';
import { createStore } from '../subjects.ts';

export interface SoakParameters {
  readonly minutes: number;
  /** Keys that are in use. */
  readonly keys: number;
  readonly sampleMs: number;
}

/** One message a sample. */
export interface SoakSample {
  readonly minute: number;
  readonly records: number;
  /** Stores up to now, for each record there is. */
  readonly churn: number;
  readonly liveMib: number;
  readonly garbageMib: number;
  readonly keyTableMib: number;
  /** Of the process. */
  readonly residentMib: number;
}

const MIB = 2 ** 20;
const SEED = 20_261_123;
const OPERATIONS_PER_TURN = 500;
const SIZE_SPREAD = 200;

const { minutes, keys: keyCount, sampleMs } = workerParameters() as SoakParameters;
const store = createStore(systemClock);
const maintenance = new Maintenance(store, new Scheduler(), false);
const keys = new KeySource();
const random = randomFrom(SEED);
const startMs = performance.now();
const elapsedMs = (): number => performance.now() - startMs;
for (let stores = 0, sampleAtMs = sampleMs; elapsedMs() < minutes * 60_000; ) {
  for (let n = 0; n < OPERATIONS_PER_TURN; n++) stores += operate();
  await nextTurn();
  if (elapsedMs() < sampleAtMs) continue;
  sampleAtMs += sampleMs;
  report(sample(stores));
}
maintenance.stop();
store.check();

/**
 * Of ten operations seven store, three of these for 1 to 60 seconds, one deletes, two load.
 *
 * @returns how many records it stored.
 */
function operate(): number {
  const key = keys.key(Math.floor(random() * keyCount));
  const choice = random() * 10;
  if (choice >= 7) {
    void store.serve(choice < 8 ? { action: 'delete', key } : { action: 'load', key });
    return 0;
  }
  const seconds = choice < 3 ? 1 + Math.floor(random() * 60) : 0;
  const value = valueOf(2 + Math.floor(random() * SIZE_SPREAD));
  void store.serve({ action: 'store', key, value, ttlNs: BigInt(seconds) * 1_000_000_000n });
  return 1;
}

function sample(stores: number): SoakSample {
  const { records, liveBytes, garbageBytes, keyTableBytes } = store.stats();
  return {
    minute: elapsedMs() / 60_000,
    records,
    churn: stores / records,
    liveMib: liveBytes / MIB,
    garbageMib: garbageBytes / MIB,
    keyTableMib: keyTableBytes / MIB,
    residentMib: process.memoryUsage.rss() / MIB,
  };
}
