/** Tests that need a program which is not on every machine. */

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe } from 'vitest';

/**
 * A `describe` for what needs these programs. Where one is missing the suite is skipped, which the
 * report shows together with the reason that is printed; with `CI=true` that is a failure instead: there
 * everything must be there.
 *
 * @example needs('redis-server')('an engine on Redis', () => { ... });
 */
export function needs(...programs: readonly string[]): typeof describe {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) return describe;
  const reason = `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not installed`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  console.warn(`tests are skipped: ${reason}`);
  const { skipIf } = describe;
  return skipIf(true) as typeof describe;
}

function isInstalled(program: string): boolean {
  const path = process.env['PATH'] ?? '';
  return path.split(delimiter).some((directory) => existsSync(join(directory, program)));
}
