/** A command beside the node itself, such as `memhashd token`: flags in, text out. */

import { describeFlags, parseFlags, type Flags, type FlagValues } from '../node/flags.ts';

/** What a command consists of. */
interface Plan<Set extends Flags> {
  /** One line for the help text of `memhashd`. */
  readonly summary: string;
  /** For its own help text; whole sentences. */
  readonly help: string;
  readonly flags: Set;
  /**
   * Does the work; returns what goes to standard output.
   *
   * @throws UsageError for flags that do not fit together, Error for what fails.
   */
  readonly run: (values: FlagValues<Set>) => string;
}

export interface Command {
  readonly summary: string;
  /** Runs with the arguments behind its name; returns what goes to standard output. */
  run(argv: readonly string[]): string;
}

/** Makes the command that is called by `name`. */
export function command<Set extends Flags>(name: string, plan: Plan<Set>): Command {
  const { summary, help, flags, run } = plan;
  return {
    summary,
    run(argv) {
      // The environment is that of nodes: what it says is not for this command.
      const values = parseFlags(flags, argv, {});
      if (values === 'help' || values === 'version') {
        return `${help}\n\nUsage: memhashd ${name} [-flag value ...]\n\n${describeFlags(flags)}\n`;
      }
      return run(values);
    },
  };
}
