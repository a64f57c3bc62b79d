/** The one rule that decides when a record expires. */

/**
 * When a record that was stored at `storedAt` (microseconds) for `ttlNs` nanoseconds expires, in
 * microseconds: never early. A `ttlNs` of 0 is a record that stays, its deadline is `Infinity`.
 */
export function deadlineOf(storedAt: number, ttlNs: number): number {
  return ttlNs === 0 ? Infinity : storedAt + Math.ceil(ttlNs / 1000);
}

/** Whether a record with this deadline may still be served or listed; at its deadline it may not. */
export function isLive(deadline: number, now: number): boolean {
  return now < deadline;
}
