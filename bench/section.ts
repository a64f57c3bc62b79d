/** A section of the bench: what it is given and what it gives. */

import type { Series } from './series.ts';

export interface Effort {
  /** Chooses a figure: the one for a full run, or the smaller one for a quick run. */
  readonly pick: (full: number, quick: number) => number;
  /** Says on standard error what is going on. */
  readonly progress: (text: string) => void;
  /** For sections that go on for a time. */
  readonly minutes: number;
  /** Those that are asked for, of the section `hostile`; undefined for all. */
  readonly attacks: readonly string[] | undefined;
}

/** Measures one thing, with servers and processes of its own. */
export type Section = (effort: Effort) => Promise<Series[]>;
