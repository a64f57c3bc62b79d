/** `npm run bench`: measures, prints a table, and keeps the figures as JSON and as charts. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { measureAccess } from './access.ts';
import { measureBatch } from './batch.ts';
import { checkChanges } from './changes.ts';
import { measureCluster } from './cluster.ts';
import { measureConnections } from './connections.ts';
import { measureDisk } from './disk.ts';
import { measureExpiry } from './expiry.ts';
import { measureHostile } from './hostile.ts';
import { measureBodies, measureHttp } from './http.ts';
import { measureJoin } from './join.ts';
import { describeMachine, type Machine } from './machine.ts';
import { HELP, parseOptions, type Options, type SectionName } from './options.ts';
import { measureOverload } from './overload.ts';
import type { Effort, Section } from './section.ts';
import type { Series } from './series.ts';
import { siege } from './siege.ts';
import { soak } from './soak.ts';
import { measureStore } from './store.ts';
import { renderChart } from './svg.ts';
import { renderTable } from './table.ts';
import { measureWatch } from './watch.ts';
import { measureValkey } from './valkey.ts';

const SECTIONS: Readonly<Record<SectionName, Section>> = {
  http: measureHttp,
  bodies: measureBodies,
  access: measureAccess,
  overload: measureOverload,
  batch: measureBatch,
  watch: measureWatch,
  store: measureStore,
  expiry: measureExpiry,
  disk: measureDisk,
  cluster: measureCluster,
  valkey: measureValkey,
  join: measureJoin,
  hostile: measureHostile,
  connections: measureConnections,
  changes: checkChanges,
  soak,
  siege,
};

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(HELP);
  else await run(options);
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function run(options: Options): Promise<void> {
  const machine = describeMachine();
  const date = new Date().toISOString();
  const startedAt = performance.now();
  const effort: Effort = {
    pick: (full, quick) => (options.isQuick ? quick : full),
    progress: (text) => {
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(0).padStart(4);
      process.stderr.write(`${seconds} s  ${text}\n`);
    },
    minutes: options.minutes,
    attacks: options.attacks,
  };
  const series: Series[] = [];
  for (const name of options.sections) series.push(...(await SECTIONS[name](effort)));

  process.stdout.write(`${describe(machine, options)}\n\n${renderTable(series)}`);
  const file = options.jsonFile ?? join('bench-results', `${date.replaceAll(':', '-')}.json`);
  write(file, `${JSON.stringify({ date, quick: options.isQuick, machine, series }, null, 2)}\n`);
  if (options.chartsDirectory === undefined) return;
  for (const one of series.filter(isWorthAChart)) {
    write(join(options.chartsDirectory, `${one.id}.svg`), renderChart(one));
  }
}

/** Whether there is something to see: a bound, and another system to compare with. */
function isWorthAChart({ rows, bounds }: Series): boolean {
  return rows.length > 1 && bounds.length > 0;
}

function describe({ cpu, cores, memoryGib, system, node }: Machine, { isQuick }: Options): string {
  const effort = isQuick ? 'quick run' : 'full run';
  return `${cpu}, ${cores} cores, ${memoryGib} GiB, ${system}, Node ${node}; ${effort}`;
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  process.stderr.write(`wrote ${file}\n`);
}
