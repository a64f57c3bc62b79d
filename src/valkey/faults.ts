/** What goes wrong between us and a server, as our failures. */

import { ReplyError } from 'ioredis';

import { failure, type Failure } from '../base/errors.ts';

/** The connection was not ready, so nothing was sent. */
export class NotSent extends Error {
  override readonly name = 'NotSent';
}

/** The server answers, but cannot serve what we ask for. */
export class Unfit extends Error {
  override readonly name = 'Unfit';
}

/** Where a server says that a slot is, for good (`moved`) or for this one request (`ask`). */
export interface Redirect {
  readonly status: 'moved' | 'ask';
  readonly slot: number;
  /** `host:port`; the host is empty where it is that of the server which answered. */
  readonly addr: string;
}

/** Words by which a server says that it cannot serve now, and that it did nothing. */
const UNAVAILABLE = new Set([
  'CLUSTERDOWN',
  'LOADING',
  'MASTERDOWN',
  'READONLY',
  'NOREPLICAS',
  'MISCONF',
  'TRYAGAIN',
  'BUSY',
  'NOAUTH',
  'WRONGPASS',
  'NOPERM',
]);

/** The first word of what a server said no by; a script on 6.2 puts its line before it. */
function wordOf(message: string): string {
  // What a user may not do inside a script has no word of its own.
  if (/ can't run this command/.test(message)) return 'NOPERM';
  return /^(?:@?\w+: \d+: )?(?:ERR .*?-)?([A-Z]+)\b/.exec(message)?.[1] ?? '';
}

/** Whether a server fails for a reason that does not go away: its version, no right to log in, no proof by TLS. */
export function isForGood(error: Error): boolean {
  if (error instanceof Unfit) return true;
  const code = 'code' in error ? String(error.code) : '';
  if (/^(ERR_SSL|ERR_TLS|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|CERT_)/.test(code)) return true;
  return (
    isRefusal(error) && ['WRONGPASS', 'NOAUTH', 'NOPERM', 'ERR'].includes(wordOf(error.message))
  );
}

/** Whether a server said no; anything else that goes wrong is no answer. */
function isRefusal(error: unknown): boolean {
  return error instanceof ReplyError;
}

/** What an error of a connection or the refusal of a server means for a request. */
export function faultOf(error: unknown, addr: string, isWrite: boolean): Failure | Redirect {
  const { message } = error as Error;
  if (isRefusal(error)) return refusal(message, addr);
  if (error instanceof NotSent) {
    return failure('OWNER_UNAVAILABLE', `there is no connection to ${addr}: ${message}`);
  }
  return isWrite
    ? failure('OUTCOME_UNKNOWN', `${addr} did not answer: ${message}`)
    : failure('OWNER_UNAVAILABLE', `${addr} did not answer: ${message}`);
}

function refusal(message: string, addr: string): Failure | Redirect {
  const word = wordOf(message);
  if (word === 'MOVED' || word === 'ASK') {
    const [, slot, target = ''] = message.split(' ');
    return { status: word === 'MOVED' ? 'moved' : 'ask', slot: Number(slot), addr: target };
  }
  if (word === 'OOM') return failure('MEMORY_FULL', `${addr} has no memory left: ${message}`);
  if (word === 'WRONGTYPE') {
    return failure('WRONG_TYPE', `the key holds something at ${addr} that memhashd did not store`);
  }
  if (UNAVAILABLE.has(word)) return failure('OWNER_UNAVAILABLE', `${addr} says: ${message}`);
  return failure('INTERNAL_ERROR', `${addr} says: ${message}`);
}
