/** Versions: the names of a record's states, which entity tags carry. */

import type { Meta } from './reply.ts';

/** The first part of a version, which stays for minutes: printing it is what takes long. */
let lastHigh = 0;
let lastHighText = '0';

/** Names one state of a record. A key that is deleted and stored again gets another. */
export function versionOf(meta: Meta): string {
  // In two parts: a number of more than 32 bits takes V8 four times as long to print.
  const high = Math.floor(meta.createdAt / 2 ** 28);
  const low = meta.createdAt - high * 2 ** 28;
  if (high !== lastHigh) {
    lastHighText = high.toString(36);
    lastHigh = high;
  }
  const version = `${lastHighText}-${low.toString(36)}-${meta.index.toString(36)}`;
  return meta.salt === undefined ? version : `${version}-${meta.salt}`;
}
