/** Command-line flags in Go's forms, each also an environment variable. */

/** A mistake on the command line or in the environment; the message names the flag. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** One flag. `parse` turns its text into a value, or throws an `Error` that says what it takes. */
export interface Flag<Value> {
  /** What stands for the value in the help text, such as `ADDRESS`. */
  readonly placeholder: string;
  /** For the help text; its lines are wrapped there. */
  readonly help: string;
  /** What the flag is when it is not given; undefined for a flag that may be missing. */
  readonly fallback: string | undefined;
  /** Whether the flag may be given several times; its values are then joined by commas. */
  readonly repeatable?: boolean;
  /** Whether the flag alone, without a value, means `true`; a value then needs the form with `=`. */
  readonly isSwitch?: boolean;
  /** Whether it is read from the environment only: `ps` shows everyone what a command line says. */
  readonly isSecret?: boolean;
  parse(text: string): Value;
}

export type Flags = Readonly<Record<string, Flag<unknown>>>;

/** The values of a set of flags; undefined for a flag that was not given and has no fallback. */
export type FlagValues<Set extends Flags> = {
  readonly [Name in keyof Set]: ReturnType<Set[Name]['parse']> | FallbackOf<Set[Name]>;
};

type FallbackOf<F> = F extends { readonly fallback: string } ? never : undefined;

/** The switches that every command has. */
export type Switch = 'help' | 'version';

/**
 * Reads `-name value`, `-name=value`, `--name value` and `--name=value`; a flag that is not given is
 * taken from the environment (`-client-addr` from `MEMHASHD_CLIENT_ADDR`), else it is its fallback.
 *
 * @throws UsageError for an unknown flag, a missing or bad value, or anything that is no flag.
 */
export function parseFlags<Set extends Flags>(
  flags: Set,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): FlagValues<Set> | Switch {
  const given = new Map<string, string>();
  const rest = argv.values();
  for (const argument of rest) {
    const [, name = '', inline] = /^--?([a-z][\w-]*)(?:=(.*))?$/s.exec(argument) ?? [];
    if (name === 'help' || name === 'h') return 'help';
    if (name === 'version') return 'version';
    if (name === '') {
      const written = JSON.stringify(argument);
      throw new UsageError(`unexpected argument ${written}; -help lists flags and commands`);
    }
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined) throw new UsageError(`unknown flag -${name}; -help lists the flags`);
    if (flag.isSecret) {
      throw new UsageError(`-${name} would be seen by others: set ${variableOf(name)} instead`);
    }
    const text = inline ?? (flag.isSwitch ? 'true' : rest.next().value);
    if (text === undefined) throw new UsageError(`-${name} needs a value, ${flag.placeholder}`);
    const before = flag.repeatable ? given.get(name) : undefined;
    given.set(name, before === undefined ? text : `${before},${text}`);
  }
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(flags)) {
    const variable = variableOf(name);
    const text = given.get(name) ?? (env[variable] || flag.fallback);
    const source = given.has(name) ? `-${name}` : variable;
    values[name] = text === undefined ? undefined : parseValue(flag, text, source);
  }
  return values as FlagValues<Set>;
}

function parseValue(flag: Flag<unknown>, text: string, source: string): unknown {
  try {
    return flag.parse(text);
  } catch (error) {
    const written = flag.isSecret ? '' : ` ${JSON.stringify(text)}`;
    throw new UsageError(`bad value${written} for ${source}: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function variableOf(name: string): string {
  return `MEMHASHD_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** The help text of a set of flags. */
export function describeFlags(flags: Flags): string {
  return Object.entries(flags)
    .map(([name, { placeholder, help, fallback, repeatable, isSwitch, isSecret }]) => {
      const notes = [
        fallback === undefined || isSwitch ? undefined : `default ${fallback}`,
        repeatable ? 'may be repeated' : undefined,
      ].filter((note) => note !== undefined);
      const lines = help.trim().split('\n');
      if (notes.length > 0) lines.push(`(${notes.join('; ')})`);
      const label = isSecret ? variableOf(name) : `-${name}`;
      const written = isSwitch ? label : `${label} ${placeholder}`;
      return [`  ${written}`, ...lines.map((line) => `        ${line.trim()}`)].join('\n');
    })
    .join('\n');
}
