/** The commands beside the node itself, by name. */

import type { Command } from './command.ts';
import { secret } from './secret.ts';
import { token } from './token.ts';

export const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['token', token],
  ['secret', secret],
]);

/** The commands, a line each, for the help text of `memhashd`. */
export function describeCommands(): string {
  const lines = Array.from(
    COMMANDS,
    ([name, { summary }]) => `  memhashd ${name}\n        ${summary}`,
  );
  return lines.join('\n');
}
