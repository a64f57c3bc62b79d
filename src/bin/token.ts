/** `memhashd token`: makes a token for a client, and the line by which nodes know it. */

import { appendFileSync } from 'node:fs';

import { makeToken, parseName, parsePrefix, parseRights } from '../api/access.ts';
import { UsageError } from '../node/flags.ts';
import { command } from './command.ts';

export const token = command('token', {
  summary: 'Makes a token for a client, and the line for -auth-file that goes with it.',
  help: `Makes a token, which a client sends as "Authorization: Bearer TOKEN". Only its hash is stored:
the token is printed once, and cannot be had again. The line for the file of -auth-file is printed
below it or, with -auth-file, added to that file, which nodes read at the start and on SIGHUP.`,
  flags: {
    name: {
      placeholder: 'NAME',
      help: 'What the log calls the bearer; no secret.',
      fallback: undefined,
      parse: parseName,
    },
    rights: {
      placeholder: 'RIGHT,...',
      help: 'What it gives: read, write, admin.',
      fallback: 'read',
      parse: (text: string) => parseRights(text.split(',')),
    },
    prefix: {
      placeholder: 'TEXT',
      help: `Only for keys that start with this, which has no comma; without it for all keys.`,
      fallback: undefined,
      repeatable: true,
      parse: (text: string) => text.split(',').map(parsePrefix),
    },
    'auth-file': {
      placeholder: 'FILE',
      help: 'The file to add the line to; it is made if it is not there.',
      fallback: undefined,
      parse: (text: string) => text,
    },
  },
  run({ name, rights, prefix: prefixes, 'auth-file': file }) {
    if (name === undefined) throw new UsageError('-name is needed; -help lists the flags');
    const made = makeToken({ name, rights, prefixes });
    if (file === undefined) return `${made.token}\n${made.entry}\n`;
    appendFileSync(file, `${made.entry}\n`, { mode: 0o600 });
    return `${made.token}\n`;
  },
});
