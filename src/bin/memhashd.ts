#!/usr/bin/env node
/** The command `memhashd`: flags in, a running node out, and an exit code. */

import { FLAGS, type Config } from '../node/config.ts';
import { describeFlags, parseFlags, UsageError } from '../node/flags.ts';
import { createLog } from '../node/log.ts';
import { Node } from '../node/node.ts';
import { version } from '../node/version.ts';
import { COMMANDS, describeCommands } from './commands.ts';

const HELP = `memhashd is a sharded in-memory store of JSON documents, spoken to over HTTP.

Usage: memhashd [-flag value ...]

${describeCommands()}

${describeFlags(FLAGS)}
  -help
        Print this text.
  -version
        Print the version.

Each flag can be written -flag value, -flag=value, --flag value or --flag=value, and as an
environment variable: -client-addr is MEMHASHD_CLIENT_ADDR. The flag goes before the variable.
SIGTERM and SIGINT finish what is running and stop; a second one stops at once. SIGHUP reads the
files of the TLS flags and of -auth-file again.
`;

/**
 * How many signals let what is running finish. npm passes on what it gets, and the terminal sends to all:
 * under npm one Ctrl-C arrives twice.
 */
const PATIENT_SIGNALS = process.env['npm_lifecycle_event'] === 'start' ? 2 : 1;

// Whoever read the output may be gone.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

try {
  const [name = '', ...rest] = process.argv.slice(2);
  const command = COMMANDS.get(name);
  if (command === undefined) await main(process.argv.slice(2));
  else process.stdout.write(command.run(rest));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`memhashd: ${message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

async function main(argv: readonly string[]): Promise<void> {
  const config = parseFlags(FLAGS, argv, process.env);
  if (config === 'help') process.stdout.write(HELP);
  else if (config === 'version') process.stdout.write(`memhashd ${version()}\n`);
  else await run(config);
}

async function run(config: Config): Promise<void> {
  const format = config['log-format'] ?? (process.stderr.isTTY ? 'text' : 'json');
  const log = createLog({ format, level: config['log-level'] }, process.stderr);
  const opening = Node.open(config, log, process.env['MEMHASHD_CHECK'] === '1');
  let isServing = false;
  let closing: Promise<void> | undefined;
  const close = (node: Node): Promise<void> => {
    closing ??= node.close().then(() => log.info('stopped'));
    return closing;
  };
  let signals = 0;
  const stop = (signal: NodeJS.Signals): void => {
    signals++;
    if (signals > PATIENT_SIGNALS) process.exit(1);
    if (signals > 1) return;
    log.info({ signal }, 'stopping');
    // A node that still waits for the rest of its cluster has nothing to finish.
    if (!isServing) process.exit(0);
    void opening.then((node) => node.leave().then(() => close(node)));
  };
  // It may be for long that a node waits for the others, and its certificates are renewed meanwhile.
  const reload = (): void => void opening.then((node) => node.reload()).catch(() => {});
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', reload);
  const node = await opening;
  await node.join();
  isServing = true;
  void node.gone.then((reason) => {
    if (reason !== undefined) process.exitCode = 1;
    return close(node);
  });
}
