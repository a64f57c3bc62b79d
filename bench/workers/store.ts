/** A process that measures one store: its memory, its rate, and its pauses. Needs `--expose-gc`. */

import { setTimeout as delay } from 'node:timers/promises';

import { inTurns, PauseMeter, type Pauses } from '../pace.ts';
import { report, workerParameters } from '../processes.ts';
import { KEY_BYTES, KeySource, randomFrom, VALUE_BYTES, valueOf } from '../records.ts';
import { median } from '../series.ts';
import { createSubject, type SubjectName } from '../subjects.ts';

export interface StoreParameters {
  readonly subject: SubjectName;
  readonly records: number;
  /** Rounds of loads and stores, and operations of each in a round. */
  readonly rounds: number;
  readonly operations: number;
}

export interface StoreResult {
  /** Memory of the process beyond keys and values. */
  readonly bytesPerRecord: number;
  /** Operations a second. */
  readonly fillRate: number;
  readonly loadRate: number;
  readonly storeRate: number;
  /** Of as many loads as stores. */
  readonly mixedRate: number;
  readonly fillPauses: Pauses;
  readonly steadyPauses: Pauses;
}

const WARM_UP_RECORDS = 50_000;
const SETTLE_MS = 500;
const SEED = 20_261_123;

/** Values of the steady state: 30 to 70 bytes, so that records move. */
const SIZE_MIN = 30;
const SIZE_SPREAD = 41;

const { subject: name, records, rounds, operations } = workerParameters() as StoreParameters;
const keys = new KeySource();
const random = randomFrom(SEED);
const anyKey = () => keys.key(Math.floor(random() * records));

await warmUp();
const emptyBytes = await settledBytes();
const subject = createSubject(name);

const filling = new PauseMeter();
const fillMs = await inTurns(records, filling, (n) => subject.store(keys.key(n), valueOf()));
const fillPauses = filling.pauses;
const bytesPerRecord = ((await settledBytes()) - emptyBytes) / records - KEY_BYTES - VALUE_BYTES;

const [loadMs, storeMs]: [number[], number[]] = [[], []];
const meter = new PauseMeter();
for (let round = 0; round < rounds; round++) {
  loadMs.push(await inTurns(operations, meter, load));
  storeMs.push(await inTurns(operations, meter, () => subject.store(anyKey(), valueOf())));
}

const steady = new PauseMeter();
await inTurns(rounds * operations, steady, (n) => {
  if (n % 3 !== 0) load();
  else subject.store(anyKey(), valueOf(SIZE_MIN + Math.floor(random() * SIZE_SPREAD)));
});
const steadyPauses = steady.pauses;
subject.stop();

const perSecond = (times: number[], count: number): number => (count / median(times)) * 1000;
const result: StoreResult = {
  bytesPerRecord,
  fillRate: perSecond([fillMs], records),
  loadRate: perSecond(loadMs, operations),
  storeRate: perSecond(storeMs, operations),
  mixedRate: perSecond(
    loadMs.map((ms, round) => ms + storeMs[round]!),
    2 * operations,
  ),
  fillPauses,
  steadyPauses,
};
report(result);

function load(): void {
  if (!subject.load(anyKey())) throw new Error('a record that was stored is not there');
}

/** Lets everything be compiled, on a store that is thrown away. */
async function warmUp(): Promise<void> {
  const trial = createSubject(name);
  const trialMeter = new PauseMeter();
  for (let round = 0; round < 4; round++) {
    await inTurns(WARM_UP_RECORDS, trialMeter, (n) => trial.store(keys.key(n), valueOf()));
    await inTurns(WARM_UP_RECORDS, trialMeter, (n) => trial.load(keys.key(n)));
  }
  trial.stop();
}

/** Memory of the process when nothing is left to collect. */
async function settledBytes(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.();
    await delay(SETTLE_MS);
  }
  return process.memoryUsage.rss();
}
