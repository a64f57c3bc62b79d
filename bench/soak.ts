/** The soak: records churn for minutes, and memory stays where it is. */

import { Worker } from './processes.ts';
import type { Effort } from './section.ts';
import { OURS, type Series } from './series.ts';
import { formatFigure } from './table.ts';
import type { SoakParameters, SoakSample } from './workers/soak.ts';

const KEYS = 1_000_000;
const SAMPLES = 40;

/** Prints samples as they come; compares the highest of the last quarter with the second's. */
export async function soak({ minutes, progress }: Effort): Promise<Series[]> {
  const parameters: SoakParameters = {
    minutes,
    keys: KEYS,
    sampleMs: (minutes * 60_000) / (SAMPLES + 1),
  };
  await using worker = new Worker('soak', parameters);
  const samples: SoakSample[] = [];
  while (samples.length < SAMPLES) {
    const sample = await worker.next<SoakSample>();
    samples.push(sample);
    const figures = Object.entries(sample).map(([name, value]) => `${name} ${formatFigure(value)}`);
    progress(`soak: ${figures.join(', ')}`);
  }
  await worker.end();
  const highest = (from: number, to: number): number =>
    Math.max(...samples.slice(from * SAMPLES, to * SAMPLES).map(({ residentMib }) => residentMib));
  const early = 'in the second quarter';
  return [
    {
      id: 'soak-memory',
      title: `Soak of ${minutes} minutes: highest memory of the process in its last quarter`,
      unit: 'MiB',
      reference: early,
      rows: [
        { system: OURS, value: highest(0.75, 1) },
        { system: early, value: highest(0.25, 0.5) },
      ],
      bounds: [{ of: 'ratio', limit: 'at most', bound: 1.05 }],
      note: `each record was stored ${formatFigure(samples.at(-1)!.churn)} times`,
    },
  ];
}
