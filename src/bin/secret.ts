/** `memhashd secret`: makes the secret by which the nodes of a cluster prove themselves to each other. */

import { makeSecret } from '../net/secret.ts';
import { command } from './command.ts';

export const secret = command('secret', {
  summary: 'Makes a secret for -cluster-secret-file, to be given to all nodes of a cluster.',
  help: `Prints a secret of 256 bits, as text. Write it to a file that only the nodes can read, and give the same
file to all of them as -cluster-secret-file: umask 077; memhashd secret > cluster.secret`,
  flags: {},
  run: () => `${makeSecret()}\n`,
});
