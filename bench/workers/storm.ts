/** A node on which many records become due in the same instant while it serves requests. */

import { setTimeout as delay } from 'node:timers/promises';

import { Scheduler } from '../../src/base/scheduler.ts';
import { Api } from '../../src/api/api.ts';
import { systemClock } from '../../src/base/clock.ts';
import { HttpServer } from '../../src/http/server.ts';
import { Maintenance } from '../../src/node/maintenance.ts';
import { HoldableClock } from '../holdable-clock.ts';
import { PauseMeter, type Pauses } from '../pace.ts';
import { nextCommand, report, workerParameters } from '../processes.ts';
import { KeySource, valueOf } from '../records.ts';
import { createStore } from '../subjects.ts';

export interface StormParameters {
  /** Records that stay. */
  readonly records: number;
  /** Records that are due together, */
  readonly stormRecords: number;
  /** so long after the command that prepares them. */
  readonly dueAfterMs: number;
}

/** The first message, when the node serves requests. */
export interface StormReady {
  readonly port: number;
}

/** The last message, when all that was due is freed; an empty one says that it is prepared. */
export interface StormResult {
  readonly freedAfterMs: number;
  /** For how long nothing was served, from the preparation until all was freed. */
  readonly pauses: Pauses;
}

const POLL_MS = 1;

/** What looks like a pause when there is nothing to serve. */
const TICK_MS = 1;

const { records, stormRecords, dueAfterMs } = workerParameters() as StormParameters;
const clock = new HoldableClock();
const store = createStore(clock.now);
const keys = new KeySource();
fill(0, records, 0n);
const meter = new PauseMeter();
const idle = setInterval(() => meter.tick(true), TICK_MS);
const maintenance = new Maintenance(store, new Scheduler(), false);
const http = new HttpServer(
  new Api({
    engine: {
      serve: (request) => {
        meter.tick();
        return store.serve(request);
      },
      list: () => [],
      members: () => [],
      start: () => Promise.resolve(),
      close: () => {},
    },
    scheduler: new Scheduler(),
    valueBytesMax: 1e6,
    onDefect: (error) => process.stderr.write(`${String(error)}\n`),
  }),
);
const { port } = await http.listen({ host: '127.0.0.1', port: 0 });
report({ port } satisfies StormReady);

await nextCommand();
const dueUs = clock.hold() + dueAfterMs * 1000;
fill(records, stormRecords, BigInt(dueAfterMs) * 1_000_000n);
clock.release();
meter.take();
report({});
await delay((dueUs - systemClock()) / 1000);
while (store.stats().expiring > 0) await delay(POLL_MS);
report({
  freedAfterMs: (systemClock() - dueUs) / 1000,
  pauses: meter.take(),
} satisfies StormResult);
await nextCommand();
await http.close();
clearInterval(idle);
maintenance.stop();
store.check();

function fill(from: number, count: number, ttlNs: bigint): void {
  for (let n = from; n < from + count; n++) {
    void store.serve({ action: 'store', key: keys.key(n), value: valueOf(), ttlNs });
  }
}
