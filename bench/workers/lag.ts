/** A store of records that expire one after the other: how late their memory is freed. */

import { setTimeout as delay } from 'node:timers/promises';

import { systemClock } from '../../src/base/clock.ts';
import { Scheduler } from '../../src/base/scheduler.ts';
import { Maintenance } from '../../src/node/maintenance.ts';
import { HoldableClock } from '../holdable-clock.ts';
import { report, workerParameters } from '../processes.ts';
import { KeySource, valueOf } from '../records.ts';
import { quantiles, type Quantiles } from '../series.ts';
import { createStore } from '../subjects.ts';

export interface LagParameters {
  readonly records: number;
  readonly duePerSecond: number;
  /** For how long the lag is measured. */
  readonly seconds: number;
}

export interface LagResult {
  /** From a record's deadline until its memory is free. */
  readonly lagMs: Quantiles;
  /** Processor time beside real time. */
  readonly coreShare: number;
}

/** Time for storing all records before the first one is due. */
const LEAD_US = 6e6;
const POLL_MS = 5;

const { records, duePerSecond, seconds } = workerParameters() as LagParameters;
const measured = Math.min(records, duePerSecond * seconds);
const ttlUs = (n: number): number => LEAD_US + Math.floor((n / duePerSecond) * 1e6);

const clock = new HoldableClock();
const store = createStore(clock.now);
const keys = new KeySource();
const startUs = clock.hold();
for (let n = 0; n < records; n++) {
  const ttlNs = BigInt(ttlUs(n)) * 1000n;
  void store.serve({ action: 'store', key: keys.key(n), value: valueOf(), ttlNs });
}
clock.release();

// Records are freed in the order in which they are due, so their number tells which are.
const lagsMs: number[] = [];
const maintain = store.maintain.bind(store);
store.maintain = (budgetUs) => {
  const isBehind = maintain(budgetUs);
  const now = systemClock();
  const freed = Math.min(measured, records - store.stats().records);
  while (lagsMs.length < freed) lagsMs.push((now - startUs - ttlUs(lagsMs.length)) / 1000);
  return isBehind;
};
const maintenance = new Maintenance(store, new Scheduler(), false);

await delay((startUs + LEAD_US - systemClock()) / 1000);
const firstDueUs = systemClock();
const usageBefore = process.cpuUsage();
while (lagsMs.length < measured) await delay(POLL_MS);
const { user, system } = process.cpuUsage(usageBefore);
const coreShare = (user + system) / (systemClock() - firstDueUs);
maintenance.stop();
store.check();

const result: LagResult = { lagMs: quantiles(lagsMs), coreShare };
report(result);
