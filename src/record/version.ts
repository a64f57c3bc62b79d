/** Versions: the names of a record's states, which entity tags carry. */

import { Phrase, type TextBuffer } from '../base/text-buffer.ts';
import type { Meta } from './reply.ts';

/** The first part of a version, which stays for minutes: printing it is what takes long. */
let lastHigh = 0;
let lastHighText = '0';

type Version = Pick<Meta, 'createdAt' | 'index' | 'salt'>;

/** Names one state of a record. A key that is deleted and stored again gets another. */
export function versionOf(meta: Version): string {
  const high = highOf(meta);
  const low = meta.createdAt - high * LOW;
  const version = `${textOf(high)}-${low.toString(36)}-${meta.index.toString(36)}`;
  return meta.salt === undefined ? version : `${version}-${meta.salt}`;
}

/** Adds what {@link versionOf} gives. */
export function writeVersion(to: TextBuffer, meta: Version): void {
  if (meta.salt !== undefined || meta.index > INDEX_MAX) {
    to.add(versionOf(meta));
    return;
  }
  const high = highOf(meta);
  if (high !== lastWritten) {
    lastPhrase = new Phrase(`${high.toString(36)}-`);
    lastWritten = high;
  }
  to.addPhrase(lastPhrase);
  to.addBase36(meta.createdAt - high * LOW);
  to.addPhrase(DASH);
  to.addBase36(meta.index);
}

/** As {@link lastHigh}, for {@link writeVersion}. */
let lastWritten = -1;
let lastPhrase = new Phrase('');
const DASH = new Phrase('-');

/** In two parts: a number of more than 32 bits takes V8 four times as long to print. */
const LOW = 2 ** 28;

const INDEX_MAX = 2 ** 31 - 1;

function highOf({ createdAt }: Version): number {
  return Math.floor(createdAt / LOW);
}

function textOf(high: number): string {
  if (high !== lastHigh) {
    lastHighText = high.toString(36);
    lastHigh = high;
  }
  return lastHighText;
}
