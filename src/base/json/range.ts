/** Where a piece of text lies among other bytes. */

/** Bytes `start` (included) to `end` (excluded). */
export interface Range {
  readonly start: number;
  readonly end: number;
}
