/** The API over an engine of the test's choice. */

import { Api } from '../../src/api/api.ts';
import type { ApiOptions } from '../../src/api/visit.ts';
import { Scheduler } from '../../src/base/scheduler.ts';
import { Turns } from '../../src/base/turns.ts';
import type { Engine } from '../../src/record/engine.ts';

/** An API in which a defect fails the test, unless `options` say otherwise. */
export function apiOver(engine: Engine, options: Partial<ApiOptions> = {}): Api {
  const scheduler = new Scheduler();
  const turns = new Turns(options.timers);
  const all = { engine, scheduler, turns, valueBytesMax: 2 ** 24, onDefect: rethrow, ...options };
  return new Api(all);
}

function rethrow(error: unknown): never {
  throw error;
}
