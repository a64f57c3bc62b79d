/** The arguments of `npm run bench`. */

import { parseArgs } from 'node:util';

/** The sections, in the order in which they run. */
const SECTION_NAMES = [
  'http',
  'bodies',
  'access',
  'overload',
  'batch',
  'watch',
  'store',
  'expiry',
  'disk',
  'cluster',
  'valkey',
  'join',
  'hostile',
  'connections',
  'changes',
  'soak',
  'siege',
] as const;

/** Those that run only when they are asked for: they take minutes each. */
const LONG: readonly SectionName[] = ['siege', 'connections', 'changes', 'soak'];

export type SectionName = (typeof SECTION_NAMES)[number];

export interface Options {
  readonly sections: readonly SectionName[];
  readonly isQuick: boolean;
  /** How long the soak and the siege take. */
  readonly minutes: number;
  readonly attacks: readonly string[] | undefined;
  /** Where the figures go; undefined for `bench-results/<date>.json`. */
  readonly jsonFile: string | undefined;
  /** Where charts are drawn, if any are asked for. */
  readonly chartsDirectory: string | undefined;
}

export const HELP = `npm run bench -- [options]

Measures memhashd beside other servers on this machine and prints a table.

  --quick             less of everything, under two minutes; figures are rougher
  --only SECTION,...  only these of ${SECTION_NAMES.join(', ')};
                      without it, all but ${LONG.join(', ')}
  --soak              the soak too; without it, it is left out
  --only siege        attacks on a cluster one after the other, for a time; else left out
  --minutes N         how long the soak and the siege take, 1 to 1440 (default 10)
  --json FILE         where the figures go (default bench-results/<date>.json)
  --charts DIRECTORY  draw charts there, as SVG
  --help              print this text
`;

/**
 * Reads the arguments.
 *
 * @throws Error with a message for the user.
 */
export function parseOptions(argv: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      soak: { type: 'boolean', default: false },
      attacks: { type: 'string' },
      minutes: { type: 'string', default: '10' },
      json: { type: 'string' },
      charts: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const minutes = Number(values.minutes);
  if (!(minutes >= 1 && minutes <= 1440)) {
    throw new Error('--minutes takes a number from 1 to 1440');
  }
  const named = values.only?.split(',').map(sectionName);
  const usual = SECTION_NAMES.filter((name) => !LONG.includes(name));
  return {
    sections: [...new Set([...(named ?? usual), ...(values.soak ? ['soak' as const] : [])])],
    isQuick: values.quick,
    minutes,
    attacks: values.attacks?.split(','),
    jsonFile: values.json,
    chartsDirectory: values.charts,
  };
}

function sectionName(text: string): SectionName {
  const name = SECTION_NAMES.find((known) => known === text);
  if (name === undefined) throw new Error(`--only takes ${SECTION_NAMES.join(', ')}, not ${text}`);
  return name;
}
