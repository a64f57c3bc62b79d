/** Timers: whatever is to happen later, as an argument, so that a test can step time by hand. */

/** Calls off what was to happen later; harmless when called twice, or too late. */
export type Cancel = () => void;

export interface Timers {
  /** Milliseconds since some moment in the past; never steps back. */
  nowMs(): number;
  /** Calls `run` once, in `delayMs` milliseconds. */
  after(delayMs: number, run: () => void): Cancel;
  /** Calls `run` every `intervalMs` milliseconds until it is called off. */
  every(intervalMs: number, run: () => void): Cancel;
  /** Calls `run` when this turn of the event loop is over and what had arrived has been read. */
  soon(run: () => void): void;
}

/** The timers of the process. */
export const systemTimers: Timers = {
  nowMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
  every: (intervalMs, run) => {
    const timer = setInterval(run, intervalMs);
    return () => clearInterval(timer);
  },
  soon: (run) => void setImmediate(run),
};
