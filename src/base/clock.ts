/** The one clock: microseconds since the Unix epoch, never stepping back while the process lives. */

/** Gives the present time in whole microseconds since the Unix epoch. */
export type Clock = () => number;

/** When the process started. Reading it each time would cost half of what the clock costs. */
const ORIGIN_US = performance.timeOrigin * 1000;

/**
 * The system's clock. It is set once, at the start of the process, and counts on from there by the
 * monotonic clock: an adjustment of the wall clock neither revives nor kills a record.
 */
export const systemClock: Clock = () => Math.floor(ORIGIN_US + performance.now() * 1000);
