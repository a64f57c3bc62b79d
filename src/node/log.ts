/** The log: one JSON object a line, on standard error. */

import { destination, pino, stdTimeFunctions, type Logger } from 'pino';

export type Log = Logger;

/** Makes the log of a process; it writes at once, so that the last line before an exit is there. */
export function createLog(): Log {
  const options = {
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const output = destination({ fd: 2, sync: true });
  // A full disk or a closed pipe behind the log is no reason to lose the records.
  output.on('error', () => {});
  return pino(options, output);
}
