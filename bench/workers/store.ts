/** A process that measures one store: its memory, its rate, and its pauses. Needs `--expose-gc`. */

import { setTimeout as delay } from 'node:timers/promises';

import { PauseMeter, type Pauses } from '../pace.ts';
import { nextCommand, report, workerParameters } from '../processes.ts';
import { KEY_BYTES, KeySource, randomFrom, VALUE_BYTES, valueOf } from '../records.ts';
import { createSubject, type SubjectName } from '../subjects.ts';

export interface StoreParameters {
  readonly subject: SubjectName;
  readonly records: number;
  /** Loads, and stores, of one round. */
  readonly operations: number;
}

/** The first message, when all records are stored. */
export interface Filled {
  /** Memory of the process beyond keys and values. */
  readonly bytesPerRecord: number;
  readonly fillMs: number;
  readonly pauses: Pauses;
}

/** The message for each round that was asked for: random loads, random stores, a mix of both. */
export interface Round {
  readonly loadMs: number;
  readonly storeMs: number;
  /** In the mix, where values change in size. */
  readonly pauses: Pauses;
}

const WARM_UP_RECORDS = 50_000;
const SETTLE_MS = 4000;
const POLL_MS = 250;
const SHRINKING_BYTES = 2 ** 18;
const SEED = 20_261_123;

/** Values of the mix: 30 to 70 bytes, so that records move. */
const SIZE_MIN = 30;
const SIZE_SPREAD = 41;

const { subject: name, records, operations } = workerParameters() as StoreParameters;
const keys = new KeySource();
const random = randomFrom(SEED);
const anyKey = () => keys.key(Math.floor(random() * records));
const meter = new PauseMeter();

await warmUp();
const emptyBytes = await settledBytes();
const subject = createSubject(name);
meter.take();
const fillMs = await meter.run(records, (n) => subject.store(keys.key(n), valueOf()));
const pauses = meter.take();
const bytesPerRecord = ((await settledBytes()) - emptyBytes) / records - KEY_BYTES - VALUE_BYTES;
report({ bytesPerRecord, fillMs, pauses } satisfies Filled);

while ((await nextCommand()) === 'round') report(await measureRound());
subject.stop();

async function measureRound(): Promise<Round> {
  const loadMs = await meter.run(operations, load);
  const storeMs = await meter.run(operations, () => subject.store(anyKey(), valueOf()));
  meter.take();
  await meter.run(operations, (n) => {
    if (n % 3 !== 0) load();
    else subject.store(anyKey(), valueOf(SIZE_MIN + Math.floor(random() * SIZE_SPREAD)));
  });
  return { loadMs, storeMs, pauses: meter.take() };
}

function load(): void {
  if (!subject.load(anyKey())) throw new Error('a record that was stored is not there');
}

/** Lets everything be compiled, on a store that is thrown away. */
async function warmUp(): Promise<void> {
  const trial = createSubject(name);
  for (let round = 0; round < 4; round++) {
    await meter.run(WARM_UP_RECORDS, (n) => trial.store(keys.key(n), valueOf()));
    await meter.run(WARM_UP_RECORDS, (n) => trial.load(keys.key(n)));
  }
  trial.stop();
}

/** Memory of the process when it has stopped shrinking: V8 gives back a grown heap bit by bit. */
async function settledBytes(): Promise<number> {
  globalThis.gc?.();
  let lowest = process.memoryUsage.rss();
  for (let calmMs = 0; calmMs < SETTLE_MS; calmMs += POLL_MS) {
    await delay(POLL_MS);
    const bytes = process.memoryUsage.rss();
    if (bytes < lowest - SHRINKING_BYTES) calmMs = 0;
    lowest = Math.min(lowest, bytes);
  }
  return lowest;
}
