/** A script that runs on the server, in one step, between the commands of others. */

import { createHash } from 'node:crypto';

export interface Script {
  readonly lua: string;
  /** What the server calls it by, once it has seen the text. */
  readonly sha: string;
}

/**
 * Makes a script of Lua text. None starts with `#!lua`: a server out of memory refuses such a script as
 * a whole, and without it only the write inside fails, so a load still answers.
 */
export function script(...parts: readonly string[]): Script {
  const lua = parts.join('\n');
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}
