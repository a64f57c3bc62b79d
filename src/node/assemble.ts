/** The API over a backend, and what sees its requests. */

import type { Access } from '../api/access.ts';
import { Api } from '../api/api.ts';
import type { HealthCheck } from '../api/visit.ts';
import { isFailure } from '../base/errors.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { Application } from '../http/exchange.ts';
import type { Engine } from '../record/engine.ts';
import type { Backend } from './backend.ts';
import type { Config } from './config.ts';
import type { Log } from './log.ts';
import { NodeMetrics } from './metrics.ts';
import { Observer } from './observer.ts';
import { version } from './version.ts';

interface Plan {
  readonly config: Config;
  readonly log: Log;
  readonly access: Access;
  readonly backend: Backend;
  readonly scheduler: Scheduler;
  readonly closing: AbortSignal;
}

/** Makes what answers the requests of clients. */
export function assemble({ config, log, access, backend, scheduler, closing }: Plan): Application {
  const { engine, stats, linkStats, changeStats, diskStats, diskBytes, watchers } = backend;
  const members = () => {
    const found = engine.members();
    return isFailure(found) ? [] : found;
  };
  const metrics = new NodeMetrics(members, version());
  if (stats !== undefined) metrics.addStore(stats, config['max-memory']);
  if (linkStats !== undefined) metrics.addLinks(linkStats);
  if (watchers !== undefined) metrics.addWatchers(watchers);
  if (changeStats !== undefined) metrics.addChange(changeStats);
  if (diskStats !== undefined && diskBytes !== undefined) metrics.addDisk(diskStats, diskBytes);
  const api = new Api({
    engine,
    scheduler,
    access,
    metrics,
    snapshot: backend.snapshot,
    checks: () => [checkMembership(engine), ...(backend.checks?.() ?? [])],
    valueBytesMax: config['max-value-size'],
    corsOrigins: config['cors-origin'],
    closing,
    onDefect: (error) => log.error({ err: error }, 'a request failed by a defect'),
  });
  const observer = new Observer(api, metrics, config['log-requests'] ? log : undefined);
  metrics.addShedding(observer.shedding);
  return observer;
}

/** A node serves once it knows who serves what. */
function checkMembership(engine: Engine): HealthCheck {
  const members = engine.members();
  return { name: 'member', problem: isFailure(members) ? members.detail : undefined };
}
