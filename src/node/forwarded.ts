/** The lines of the log for requests that other members have sent here. */

import { keyText } from '../base/key.ts';
import { LOGGED_TARGET_CHARS_MAX } from '../base/limits.ts';
import type { OnServed } from '../cluster/cluster.ts';
import type { Log } from './log.ts';

/** Makes what writes a line for each: with the names that it has where it came in. */
export function logForwarded(log: Log): OnServed {
  return ({ names, action, key }, outcome, tookMs) => {
    const shown = keyText(key).slice(0, LOGGED_TARGET_CHARS_MAX);
    const ms = Math.round(tookMs * 1000) / 1000;
    log.info({ ...names, action, key: shown, outcome, ms }, 'forwarded request');
  };
}
